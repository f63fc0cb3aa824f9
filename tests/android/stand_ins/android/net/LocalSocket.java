package android.net;

import java.io.Closeable;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;

/** Stands in for Android's class of this name when the sample is compiled on a computer. */
public class LocalSocket implements Closeable {
    public void connect(LocalSocketAddress endpoint) throws IOException {
        throw new IOException("not on this computer");
    }

    public void setSoTimeout(int milliseconds) throws IOException {}

    public InputStream getInputStream() throws IOException {
        throw new IOException("not on this computer");
    }

    public OutputStream getOutputStream() throws IOException {
        throw new IOException("not on this computer");
    }

    @Override
    public void close() throws IOException {}
}
