// What node:http2 makes of it: a server whose streams are piped to one session with the origin.
import http2 from 'node:http2';
import { nodeProxySetup } from './node-proxy-setup.ts';

const { listenPort, origin } = nodeProxySetup();
const session = http2.connect(origin);
session.on('error', (error: Error) => {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
});

http2
  .createServer()
  .on('stream', (stream, headers) => {
    const onward = session.request(headers);
    stream.pipe(onward);
    let trailers: http2.IncomingHttpHeaders | undefined;
    onward.on('response', (reply) => {
      stream.respond(reply, { waitForTrailers: true });
      onward.pipe(stream);
    });
    onward.on('trailers', (fields: http2.IncomingHttpHeaders) => (trailers = fields));
    stream.on('wantTrailers', () => stream.sendTrailers(trailers ?? {}));
    const abandon = (): void => {
      onward.close(http2.constants.NGHTTP2_CANCEL);
      stream.close(http2.constants.NGHTTP2_CANCEL);
    };
    onward.on('error', abandon);
    stream.on('error', abandon);
    stream.on('aborted', abandon);
  })
  .listen(listenPort, '127.0.0.1');
