// echo.mjs PORT: answers every request with what reached it, and how many have. It believes what it is told, as programs do.
import { createServer } from 'node:http';

let count = 0;
createServer((request, response) => {
  count++;
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ count, path: request.url, headers: request.headers }));
}).listen(Number(process.argv[2]), '127.0.0.1');
