package com.example.posagent;

import java.io.Closeable;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;

/** A way to the agent: the unix socket on Android, the same on a computer, or loopback. */
public interface Transport {
    /** A new connection. Throws IOException where nobody answers, or the queue is full (EAGAIN). */
    Connection open() throws IOException;

    /** What the Host header says; the agent answers to nothing else. */
    String host();

    interface Connection extends Closeable {
        InputStream in() throws IOException;

        OutputStream out() throws IOException;
    }
}
