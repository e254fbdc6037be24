import { request, type IncomingHttpHeaders } from 'node:http';
import { request as secureRequest } from 'node:https';

/** What came back. */
export interface Answer {
  readonly status: number;
  readonly text: string;
  readonly headers: IncomingHttpHeaders;
}

/** How a request is made. */
export interface CallOptions {
  /** Default `shop.example.com`. */
  readonly host?: string;
  readonly path?: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Over TLS, believing this certificate. */
  readonly ca?: string;
  /** Default: the host. */
  readonly servername?: string;
}

/** One request to a port of this machine, on a connection of its own. */
export async function call(port: string | number, options: CallOptions = {}): Promise<Answer> {
  const {
    host = 'shop.example.com',
    path = '/',
    method = 'GET',
    headers = {},
    body,
    ca,
    servername = host,
  } = options;
  return new Promise((resolve, reject) => {
    const common = {
      host: '127.0.0.1',
      port,
      path,
      method,
      headers: { host, ...headers },
      agent: false,
    } as const;
    const sent = ca === undefined ? request(common) : secureRequest({ ...common, ca, servername });
    sent.on('error', reject).on('response', (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => (text += part));
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, text, headers: response.headers }),
      );
    });
    sent.end(body);
  });
}

/** Program that answers with what reached it, after `?wait=MS`; its port is the first argument. */
export const ECHO =
  "require('http').createServer((q,r)=>setTimeout(()=>r.end(JSON.stringify({url:q.url,headers:q.headers})),Number(new URL(q.url,'http://a').searchParams.get('wait')??0))).listen(process.argv[1],'127.0.0.1')";

/** The request fields that reached {@link ECHO}. */
export function headersOf({ text }: Answer): Record<string, string> {
  return (JSON.parse(text) as { headers: Record<string, string> }).headers;
}
