package com.example.posagent;

import java.io.IOException;
import java.util.Map;

/**
 * What a payment app does with the agent. Not for the main thread: a call may take seconds.
 *
 * <p>The key is made and kept by the app before its first attempt. One key is one payment, for ever:
 * as long as the answer is UNKNOWN the same payment is handed over again under the same key.
 */
public final class Posagent {
    /** What the app must do next. */
    public enum Outcome {
        /** On disk at the agent: the customer may be told. */
        RECORDED,
        /** Ask the cashier about the code, then send it again with `confirmed` (409). */
        ASK_CASHIER,
        /** No more offline payments: not recorded, and what is recorded is safe (507). */
        FULL,
        /** A fault of this app or of its configuration: not recorded, and no use to repeat. */
        REFUSED,
        /** Nobody knows. Keep the key; repeat later, or ask `status`. Never a new key. */
        UNKNOWN
    }

    public static final class Result {
        public final Outcome outcome;
        public final int status;
        /** The payment's state, or the problem's stable code. */
        public final String word;

        Result(Outcome outcome, int status, String word) {
            this.outcome = outcome;
            this.status = status;
            this.word = word;
        }
    }

    private static final long PAUSE_MS = 50;
    private static final long PAUSE_MAX_MS = 1_000;
    private final Transport transport;
    private final String token;
    private final long patienceMs;

    /** `token` is for loopback; null on the unix socket, where the kernel says who we are. */
    public Posagent(Transport transport, String token, long patienceMs) {
        this.transport = transport;
        this.token = token;
        this.patienceMs = patienceMs;
    }

    /** Hand over a payment: the JSON of POST /v1/transactions, with its key in it. */
    public Result submit(String payment) {
        long ends = System.nanoTime() + patienceMs * 1_000_000;
        long pauseMs = PAUSE_MS;
        while (true) {
            Result result = once(payment);
            if (result.outcome != Outcome.UNKNOWN || System.nanoTime() > ends) {
                return result;
            }
            try {
                Thread.sleep(pauseMs); // a full queue (EAGAIN) is over soon, a restart takes longer
            } catch (InterruptedException stopped) {
                Thread.currentThread().interrupt();
                return result;
            }
            pauseMs = Math.min(PAUSE_MAX_MS, 2 * pauseMs);
        }
    }

    private Result once(String payment) {
        Http.Answer answer;
        try {
            answer = Http.call(transport, token, "POST", "/v1/transactions", payment);
        } catch (IOException broken) {
            return new Result(Outcome.UNKNOWN, 0, String.valueOf(broken.getMessage()));
        }
        Map<String, Object> told;
        try {
            told = Json.object(answer.body);
        } catch (IllegalArgumentException notOurs) {
            return new Result(Outcome.UNKNOWN, answer.status, "an answer that is no JSON");
        }
        switch (answer.status) {
            case 200:
            case 201:
                return new Result(Outcome.RECORDED, answer.status, Json.text(told, "state"));
            case 409:
                return new Result(Outcome.ASK_CASHIER, 409, Json.text(told, "code"));
            case 507:
                return new Result(Outcome.FULL, 507, Json.text(told, "code"));
            case 503:
                return new Result(Outcome.UNKNOWN, 503, Json.text(told, "code"));
            default:
                return new Result(Outcome.REFUSED, answer.status, Json.text(told, "code"));
        }
    }

    /** What has become of a payment. Throws IOException where nobody answers. */
    public Map<String, Object> status(String key) throws IOException {
        return get("/v1/transactions/" + key);
    }

    /** Why it has not arrived: cause, evidence, next step and who must take it. */
    public Map<String, Object> explain(String key) throws IOException {
        return get("/v1/transactions/" + key + "/explain");
    }

    /** The app has the result of a final payment: what it handed over may be destroyed. */
    public Result acknowledge(String key) throws IOException {
        Http.Answer answer =
                Http.call(transport, token, "POST", "/v1/transactions/" + key + "/ack", null);
        Map<String, Object> told = Json.object(answer.body);
        boolean done = answer.status == 200;
        return new Result(
                done ? Outcome.RECORDED : Outcome.REFUSED,
                answer.status,
                Json.text(told, done ? "state" : "code"));
    }

    private Map<String, Object> get(String path) throws IOException {
        return Json.object(Http.call(transport, token, "GET", path, null).body);
    }
}
