package com.example.posagent.kotlin

import com.example.posagent.UnixTransport

/** One command on each line of the input, as `Try` of the Java sample has them. */
fun main(args: Array<String>) {
    val agent = Posagent(UnixTransport(args[0]))
    while (true) {
        val line = readLine() ?: return
        val what = line.substringAfter(' ')
        println(
            when (line.substringBefore(' ')) {
                "submit" -> agent.submit(what).toString()
                "status" -> agent.state(what).toString()
                "ack" -> agent.acknowledge(what).toString()
                else -> agent.explain(what, "en").joinToString(" ")
            }
        )
    }
}
