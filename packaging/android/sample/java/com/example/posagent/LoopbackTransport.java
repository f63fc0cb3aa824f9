package com.example.posagent;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.net.Socket;

/** [page] listen: for apps without a uid known beforehand. Needs the token and INTERNET. */
public final class LoopbackTransport implements Transport {
    private static final int TIMEOUT_MS = 40_000;
    private final int port;

    public LoopbackTransport(int port) {
        this.port = port;
    }

    @Override
    public Connection open() throws IOException {
        final Socket socket = new Socket();
        try {
            socket.connect(new InetSocketAddress("127.0.0.1", port), TIMEOUT_MS);
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
        return "127.0.0.1:" + port;
    }
}
