// The link of `posagent page`: the code stands behind the #, which no browser sends to anybody.
// Signs in, or leaves it to the page to say why not; the link is gone from the history either way.

const code = location.hash.slice(1);
history.replaceState(null, "", "/in.html");

async function enter() {
  if (code) {
    try {
      await fetch("/v1/session", {
        method: "POST",
        headers: { "content-type": "application/json" },
        credentials: "same-origin",
        body: JSON.stringify({ code: code }),
      });
    } catch (error) {
      // The page shows by itself that nobody answers.
    }
  }
  location.replace("/");
}

enter();
