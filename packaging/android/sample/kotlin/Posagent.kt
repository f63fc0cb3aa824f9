package com.example.posagent.kotlin

import com.example.posagent.Http
import com.example.posagent.Json
import com.example.posagent.Transport
import java.io.IOException

/** What became of a hand-over, and with it what the app must do next. */
sealed class Handed {
    /** On disk at the agent: the customer may be told. */
    data class Recorded(val state: String, val again: Boolean) : Handed()

    /** Ask the cashier about the code, then hand it over again with `confirmed`. */
    data class AskCashier(val code: String) : Handed()

    /** No more offline payments; what is recorded is safe. */
    data class Full(val code: String) : Handed()

    /** A fault of this app or its configuration. */
    data class Refused(val status: Int, val code: String) : Handed()

    /** Nobody knows: keep the key and repeat the same payment later. Never a new key. */
    data class Unknown(val why: String) : Handed()
}

/** The agent, over the classes of the Java sample. Not for the main thread. */
class Posagent(
    private val transport: Transport,
    private val token: String? = null,
    private val patienceMs: Long = 20_000
) {
    fun submit(payment: String): Handed {
        val ends = System.nanoTime() + patienceMs * 1_000_000
        var pauseMs = 50L
        while (true) {
            val handed = once(payment)
            if (handed !is Handed.Unknown || System.nanoTime() > ends) return handed
            Thread.sleep(pauseMs)
            pauseMs = minOf(1_000L, 2 * pauseMs)
        }
    }

    private fun once(payment: String): Handed {
        val answer = try {
            Http.call(transport, token, "POST", "/v1/transactions", payment)
        } catch (broken: IOException) {
            return Handed.Unknown(broken.message ?: "broken off")
        }
        val told = try {
            Json.`object`(answer.body)
        } catch (notOurs: IllegalArgumentException) {
            return Handed.Unknown("an answer that is no JSON")
        }
        val code = Json.text(told, "code")
        return when (answer.status) {
            200, 201 -> Handed.Recorded(Json.text(told, "state"), answer.status == 200)
            409 -> Handed.AskCashier(code)
            507 -> Handed.Full(code)
            503 -> Handed.Unknown(code)
            else -> Handed.Refused(answer.status, code)
        }
    }

    /** The state of a payment; null where the agent does not know the key. */
    fun state(key: String): String? {
        val answer = Http.call(transport, token, "GET", "/v1/transactions/$key", null)
        return if (answer.status == 200) Json.text(Json.`object`(answer.body), "state") else null
    }

    /** Why it has not arrived, as lines for people in `zh` or `en`. */
    fun explain(key: String, language: String): List<String> {
        val answer = Http.call(transport, token, "GET", "/v1/transactions/$key/explain", null)
        val text = Json.`object`(answer.body)["text"] as? Map<*, *>
        return (text?.get(language) as? List<*>).orEmpty().map { it.toString() }
    }

    /** The result is kept by the app; true once the agent has noted it. */
    fun acknowledge(key: String): Boolean =
        Http.call(transport, token, "POST", "/v1/transactions/$key/ack", null).status == 200
}
