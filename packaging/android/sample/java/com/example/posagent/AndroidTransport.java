package com.example.posagent;

import android.net.LocalSocket;
import android.net.LocalSocketAddress;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;

/** The socket Android's init makes. Who may use it: [api] of the agent's configuration, by uid. */
public final class AndroidTransport implements Transport {
    private static final int TIMEOUT_MS = 40_000;

    @Override
    public Connection open() throws IOException {
        final LocalSocket socket = new LocalSocket();
        try {
            socket.connect(
                    new LocalSocketAddress("posagent", LocalSocketAddress.Namespace.RESERVED));
            socket.setSoTimeout(TIMEOUT_MS);
        } catch (IOException error) {
            socket.close();
            throw error;
        }
        return new Connection() {
            @Override
            public InputStream in() throws IOException {
                return socket.getInputStream();
            }

            @Override
            public OutputStream out() throws IOException {
                return socket.getOutputStream();
            }

            @Override
            public void close() throws IOException {
                socket.close();
            }
        };
    }

    @Override
    public String host() {
        return "localhost";
    }
}
