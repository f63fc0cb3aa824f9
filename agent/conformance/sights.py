"""The sentences an examination says about what it saw, in both languages. Data only."""

from __future__ import annotations

from agent.core.why.text import Text

# What was asked of the host.
FIRST = Text("首次发送", "the first post")
REPEAT = Text("重发", "the repeat")
RECONNECTED = Text("换连接后重发", "the repeat over another connection")
RECOUNTED = Text("Attempt 与先前不同的重发", "the repeat with another Attempt")
LATE_COUNT = Text("Attempt 为 7 的新交易", "a new payment with Attempt 7")
OTHER_BODY = Text("同键、报文多一个字节", "the same key, one byte more of body")
OTHER_AMOUNT = Text("同键、金额不同", "the same key, another amount")
OTHER_POSTING = Text("同键、posting 不同", "the same key, the other posting")
AT_ONCE = Text("同时发送同一个键", "one key, posted eight times at the same moment,")
AFTER_CUT = Text("断线后的重发", "the repeat after the line was cut")
AFTER_HALF = Text("半个请求之后的完整请求", "the whole request after half of it")
AFTER_ASKING = Text("查询之后的首次发送", "the first post after asking")
AFTER_REFUSAL = Text("改正后的交易", "the corrected payment")
TO_DECLINE = Text("应被拒绝的交易", "the payment to be declined")
STATUS = Text("状态查询", "the status question")
STATUS_UNKNOWN = Text("查询从未用过的键", "the question about a key never used")
STATUS_FOREIGN = Text("以别的终端号查询", "the question with another Terminal-Id")
STATUS_CHANGED = Text("内容不符之后的查询", "the status after a mismatch")
STATUS_CUT = Text("断线后的查询", "the status after the line was cut")
STATUS_HALF = Text("半个请求之后的查询", "the status after half a request")
STATUS_REFUSED = Text("拒绝之后的查询", "the status after a refusal")
STATUS_DECLINED = Text("查询被拒的交易", "the status of the declined payment")
DECLARATION = Text("GET URL", "GET URL")
OTHER_TERMINAL = Text("另一终端的同名键", "the same key at the other terminal")

# What it said or did.
ANSWERED = Text(
    "{request}：答 {status}，应为 {wanted}", "{request} was answered {status}, not {wanted}"
)
UNREADABLE = Text("{request}：{status} 的内容{why}", "{request}: {status} with {why}")
NO_ANSWER = Text("{request}：没有完整应答（{why}）", "{request}: no whole answer ({why})")
NOT_REACHED = Text("{request}：{why}", "{request}: {why}")
ECHOED = Text(
    "{request}：{field} 发出 {asked}，带回 {was}",
    "{request}: {field} was sent as {asked}, echoed as {was}",
)
FIELD = Text("{request}：{field} 为 {was}", "{request}: {field} is {was}")
CHANGED = Text(
    "{request}：{field} 先前为 {before}，现为 {now}",
    "{request}: {field} was {before} and is now {now}",
)
ANEW = Text(
    "{request}：又答 201，流水号 {now}，先前为 {before}：重复入账",
    "{request} was posted again: 201 with reference {now} after {before}",
)
ANEW_SAME = Text(
    "{request}：又答 201（“现在入账”），流水号未变",
    "{request} was answered 201 (posted now) again, with the same reference",
)
UNMARKED = Text("{request}：没有 duplicate: true", "{request} has no duplicate: true")
MARKED = Text("{request}：新交易却带 duplicate: true", "{request} is new but says duplicate: true")
STATUS_WORD = Text(
    "{request}：status 为 {was}，应为 {wanted}", "{request}: status {was}, not {wanted}"
)
BUSY = Text(
    "{request}：{tries} 次都答 {status}", "{request} was answered {status} {tries} times running"
)
REFERENCES = Text(
    "{request}：{count} 次 201，流水号 {references}：重复入账",
    "{request} was posted more than once: {count} times 201, references {references}",
)
STILL = Text(
    "{request}：{seconds} 秒后仍为处理中", "{request}: still in progress after {seconds} s"
)
SETTLED = Text("{request}：已有结果的键仍答 409", "{request}: 409 for a key that has its result")
DECLINED = Text(
    "{request}：普通测试交易被拒，应答码 {code}；请用 --amount 等给出主机会接受的交易",
    "{request}: an ordinary test payment was declined ({code}); give one the host accepts "
    "(--amount, --terminal, --body)",
)
NOT_DECLINED = Text(
    "{request}：没有被拒（{status}）；请检查 --decline-amount",
    "{request} was not declined ({status}); is --decline-amount the right one?",
)
BAD_INPUT = Text("{what}：答 {status}", "{what} was answered {status}")
LEAKED = Text(
    "{request}：看得到别的终端的交易（{status}）", "{request} shows the payment ({status})"
)
RETRY_AFTER = Text("{request}：Retry-After 为 {was}", "{request}: Retry-After is {was}")
NO_RETRY_AFTER = Text(
    "{request}：{status} 没有 Retry-After", "{request}: {status} without Retry-After"
)
REDIRECTED = Text("{request}：答 {status}", "{request} was answered {status}")
CLOSED = Text("应答之后连接被关闭", "the connection was closed after the answer")
OLD_TLS = Text("接受了 {version}", "{version} was accepted")
NO_CERTIFICATE = Text(
    "没有客户端证书也答 {status}", "answered {status} without a client certificate"
)
NO_DECLARATION = Text("答 {status}，没有声明", "answered {status}, without a declaration")
WINDOW = Text("声明的窗口为 {seconds} 秒", "the declared window is {seconds} s")
VANISHED = Text("{request}：先为 {before}，后为 {now}", "{request}: first {before}, later {now}")

# Why something was not looked at.
PLAIN_HTTP = Text("本机 http，没有 TLS", "http on loopback has no TLS")
TLS_NOT_TRIED = Text(
    "本机的 TLS 库不肯发起旧版握手", "this machine's TLS library refuses to offer it"
)
WITHOUT_CERT = Text("没有给出 --cert", "no --cert was given")
WITHOUT_DECLINE = Text("没有给出 --decline-amount", "no --decline-amount was given")
STOPPED = Text("此前的失败使检查无法继续", "what failed before leaves nothing to examine")
NOT_MET = Text("主机没有给出这样的应答", "the host gave no such answer")
INSIDE = Text(
    "从外部看不出：请主机方书面确认", "not visible from outside: ask whoever runs the host"
)
UNDECLARED = Text("没有声明：请主机方书面确认", "not declared: ask whoever runs the host")

# Bad input.
NO_KEY = Text("没有 Idempotency-Key", "no Idempotency-Key")
LONG_KEY = Text("65 个字符的键", "a key of 65 characters")
STRANGE_KEY = Text("含空格和 % 的键", "a key with a blank and a percent sign")
NO_TERMINAL = Text("没有 Terminal-Id", "no Terminal-Id")
NO_MERCHANT = Text("没有 Merchant-Id", "no Merchant-Id")
MAJOR_UNITS = Text("金额 12.50 CNY", "the amount 12.50 CNY")
NEGATIVE = Text("负金额", "a negative amount")
NO_CURRENCY = Text("金额没有币种", "an amount without a currency")
HUGE = Text("20 位的金额", "an amount of 20 digits")
STRANGE_KIND = Text("未知的 Transaction-Kind", "an unknown Transaction-Kind")
STRANGE_POSTING = Text("未知的 Transaction-Posting", "an unknown Transaction-Posting")
PUT = Text("PUT URL", "PUT URL")
DELETE = Text("DELETE URL", "DELETE URL")
STATUS_STRANGE = Text("查询含 % 的键", "the status of a key with a percent sign")
STATUS_BARE = Text("没有 Terminal-Id 的查询", "a status question without Terminal-Id")
