// ask.mjs URL TIMES: asks so often and prints how often it got which status, e.g. `403 20`. A job like any other.
const [url, times] = process.argv.slice(2);
const counts = new Map();
for (let i = 0; i < Number(times); i++) {
  const response = await fetch(url);
  await response.arrayBuffer();
  counts.set(response.status, (counts.get(response.status) ?? 0) + 1);
}
for (const [status, count] of counts) console.log(`${status} ${count}`);
