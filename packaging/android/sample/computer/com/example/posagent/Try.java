package com.example.posagent;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.util.Map;

/**
 * Try PATH-OF-SOCKET | Try PORT TOKEN-FILE: one command on each line of the input, one line of answer.
 *
 * <p>submit JSON, status KEY, explain KEY, ack KEY, fails N (the next N connections find a full
 * queue).
 */
public final class Try {
    public static void main(String[] args) throws IOException {
        final Transport real =
                args.length > 1
                        ? new LoopbackTransport(Integer.parseInt(args[0]))
                        : new UnixTransport(args[0]);
        String token = null;
        if (args.length > 1) {
            byte[] read = Files.readAllBytes(Paths.get(args[1]));
            token = new String(read, StandardCharsets.US_ASCII).trim();
        }
        final int[] fails = {0};
        Transport transport =
                new Transport() {
                    @Override
                    public Connection open() throws IOException {
                        if (fails[0] > 0) {
                            fails[0]--;
                            throw new IOException("Resource temporarily unavailable");
                        }
                        return real.open();
                    }

                    @Override
                    public String host() {
                        return real.host();
                    }
                };
        Posagent agent = new Posagent(transport, token, 20_000);
        BufferedReader in =
                new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] words = line.split(" ", 2);
            System.out.println(answer(agent, fails, words[0], words[1]));
            System.out.flush();
        }
    }

    private static String answer(Posagent agent, int[] fails, String verb, String what)
            throws IOException {
        switch (verb) {
            case "submit":
                return told(agent.submit(what));
            case "ack":
                return told(agent.acknowledge(what));
            case "fails":
                fails[0] = Integer.parseInt(what);
                return "fails " + what;
            case "status":
                return Json.text(agent.status(what), "state");
            default:
                Map<String, Object> said = agent.explain(what);
                return said.toString();
        }
    }

    private static String told(Posagent.Result result) {
        return result.outcome + " " + result.status + " " + result.word;
    }
}
