package com.example.posagent;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;

/** The same socket on a computer with Java 17, to try the client without a terminal. */
public final class UnixTransport implements Transport {
    private final UnixDomainSocketAddress address;

    public UnixTransport(String path) {
        address = UnixDomainSocketAddress.of(path);
    }

    @Override
    public Connection open() throws IOException {
        final SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX);
        try {
            channel.connect(address);
        } catch (IOException error) {
            channel.close();
            throw error;
        }
        return new Connection() {
            @Override
            public InputStream in() {
                return Channels.newInputStream(channel);
            }

            @Override
            public OutputStream out() {
                return Channels.newOutputStream(channel);
            }

            @Override
            public void close() throws IOException {
                channel.close();
            }
        };
    }

    @Override
    public String host() {
        return "localhost";
    }
}
