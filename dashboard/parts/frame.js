// Streamlit says in its own words, and for ever, that it cannot connect. Who is not let in any more is told so by the front, in plain words.
const POLL_MS = 2_000;

const refused = async () => [401, 403].includes((await fetch("/healthz", { cache: "no-store" })).status);

export default function () {
  if (window.shelfcastWatches) return;
  window.shelfcastWatches = true;
  setInterval(async () => {
    const state = document.querySelector("[data-test-connection-state]")?.dataset.testConnectionState;
    if (state === undefined || state === "CONNECTED") return;
    try {
      if (await refused()) window.location.reload();
    } catch {
      // Nobody answers: Streamlit goes on asking.
    }
  }, POLL_MS);
}
