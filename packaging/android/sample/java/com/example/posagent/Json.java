package com.example.posagent;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Reads JSON into Map, List, String, Double, Boolean and null. On Android org.json does the same. */
public final class Json {
    private final String text;
    private int at;

    private Json(String text) {
        this.text = text;
    }

    /** Throws IllegalArgumentException for what is no object. */
    @SuppressWarnings("unchecked")
    public static Map<String, Object> object(String text) {
        Json json = new Json(text);
        Object value = json.value();
        json.space();
        if (!(value instanceof Map) || json.at != text.length()) {
            throw new IllegalArgumentException("not one JSON object");
        }
        return (Map<String, Object>) value;
    }

    /** The text of a member; "" where there is none. */
    public static String text(Map<String, Object> object, String name) {
        Object value = object.get(name);
        return value instanceof String ? (String) value : "";
    }

    /** A string as JSON writes it. */
    public static String quoted(String value) {
        StringBuilder out = new StringBuilder("\"");
        for (char c : value.toCharArray()) {
            if (c == '"' || c == '\\') {
                out.append('\\').append(c);
            } else if (c < ' ') {
                out.append(String.format("\\u%04x", (int) c));
            } else {
                out.append(c);
            }
        }
        return out.append('"').toString();
    }

    private Object value() {
        space();
        char c = peek();
        if (c == '{') {
            Map<String, Object> held = new LinkedHashMap<>();
            for (at++; !ends('}'); ) {
                space();
                String name = string();
                space();
                take(':');
                held.put(name, value());
            }
            return held;
        }
        if (c == '[') {
            List<Object> held = new ArrayList<>();
            for (at++; !ends(']'); ) {
                held.add(value());
            }
            return held;
        }
        if (c == '"') {
            return string();
        }
        int from = at;
        while (at < text.length() && ",]} \t\r\n".indexOf(text.charAt(at)) < 0) {
            at++;
        }
        String word = text.substring(from, at);
        switch (word) {
            case "true":
                return Boolean.TRUE;
            case "false":
                return Boolean.FALSE;
            case "null":
                return null;
            default:
                return Double.valueOf(word);
        }
    }

    private boolean ends(char bracket) {
        space();
        if (peek() == ',') {
            at++;
            space();
        }
        if (peek() != bracket) {
            return false;
        }
        at++;
        return true;
    }

    private String string() {
        take('"');
        StringBuilder out = new StringBuilder();
        while (peek() != '"') {
            char c = text.charAt(at++);
            if (c != '\\') {
                out.append(c);
                continue;
            }
            char escaped = text.charAt(at++);
            int known = "nrtbf".indexOf(escaped);
            if (escaped == 'u') {
                out.append((char) Integer.parseInt(text.substring(at, at + 4), 16));
                at += 4;
            } else {
                out.append(known < 0 ? escaped : "\n\r\t\b\f".charAt(known));
            }
        }
        at++;
        return out.toString();
    }

    private void take(char wanted) {
        if (peek() != wanted) {
            throw new IllegalArgumentException("'" + wanted + "' expected at " + at);
        }
        at++;
    }

    private char peek() {
        if (at >= text.length()) {
            throw new IllegalArgumentException("ends too early");
        }
        return text.charAt(at);
    }

    private void space() {
        while (at < text.length() && " \t\r\n".indexOf(text.charAt(at)) >= 0) {
            at++;
        }
    }
}
