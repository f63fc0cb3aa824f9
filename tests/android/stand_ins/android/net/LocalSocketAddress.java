package android.net;

/** Stands in for Android's class of this name when the sample is compiled on a computer. */
public class LocalSocketAddress {
    public enum Namespace {
        RESERVED
    }

    public LocalSocketAddress(String name, Namespace namespace) {}
}
