package com.example.posagent;

import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;

/** One request and its answer, on a connection of its own: as much of HTTP/1.1 as the agent needs. */
public final class Http {
    private static final int HEAD_BYTES = 65_536;
    private static final int BODY_BYTES = 8 << 20;

    public static final class Answer {
        public final int status;
        public final String body;

        Answer(int status, String body) {
            this.status = status;
            this.body = body;
        }
    }

    private Http() {}

    /** Throws IOException where no whole answer came: then nobody knows what became of it. */
    public static Answer call(
            Transport transport, String token, String method, String path, String json)
            throws IOException {
        byte[] body = json == null ? new byte[0] : json.getBytes(StandardCharsets.UTF_8);
        StringBuilder head = new StringBuilder();
        head.append(method).append(' ').append(path).append(" HTTP/1.1\r\n");
        head.append("Host: ").append(transport.host()).append("\r\n");
        head.append("Connection: close\r\n");
        if (token != null) {
            head.append("Authorization: Bearer ").append(token).append("\r\n");
        }
        if (json != null) {
            head.append("Content-Type: application/json\r\n");
        }
        head.append("Content-Length: ").append(body.length).append("\r\n\r\n");
        try (Transport.Connection connection = transport.open()) {
            connection.out().write(head.toString().getBytes(StandardCharsets.US_ASCII));
            connection.out().write(body);
            connection.out().flush();
            return answer(connection.in());
        }
    }

    private static Answer answer(InputStream in) throws IOException {
        String[] lines = head(in).split("\r\n");
        String[] first = lines[0].split(" ", 3);
        if (first.length < 2 || !first[0].startsWith("HTTP/1.")) {
            throw new IOException("no HTTP answer");
        }
        int length = -1;
        for (String line : lines) {
            if (line.regionMatches(true, 0, "content-length:", 0, 15)) {
                length = Integer.parseInt(line.substring(15).trim());
            }
        }
        if (length < 0 || length > BODY_BYTES) {
            throw new IOException("an answer of unknown length");
        }
        byte[] body = new byte[length];
        for (int got = 0; got < length; ) {
            int more = in.read(body, got, length - got);
            if (more < 0) {
                throw new EOFException("the answer was cut off");
            }
            got += more;
        }
        int status = Integer.parseInt(first[1]);
        return new Answer(status, new String(body, StandardCharsets.UTF_8));
    }

    private static String head(InputStream in) throws IOException {
        ByteArrayOutputStream read = new ByteArrayOutputStream();
        int ends = 0;
        while (ends < 4) {
            int next = in.read();
            if (next < 0 || read.size() > HEAD_BYTES) {
                throw new EOFException("no answer");
            }
            read.write(next);
            ends = next == (ends % 2 == 0 ? '\r' : '\n') ? ends + 1 : next == '\r' ? 1 : 0;
        }
        return read.toString("US-ASCII");
    }
}
