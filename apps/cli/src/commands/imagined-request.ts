import { usageError } from '../cli/exit-codes.ts';
import type { Imagined } from '../proxies/explanations.ts';

/**
 * A request that nobody sent, as a command line says it. `grpc` stands for what a gRPC call is over HTTP: POST of
 * `/service/method`, with its content type.
 * @throws CliError (usage) for what is no URL, no field, or no method of a service
 */
export function readRequest(method: string, text: string, lines: readonly string[]): Imagined {
  if (!URL.canParse(text) || !/^https?:\/\//.test(text))
    throw usageError(
      `${JSON.stringify(text)} is no URL`,
      'write http://SERVICE/PATH, e.g. http://orders/items',
    );
  const headers: Record<string, string[]> = {};
  for (const line of lines) {
    const colon = line.indexOf(':');
    if (colon < 1)
      throw usageError(`--header ${JSON.stringify(line)}: there is no colon`, "write -H 'name: value'");
    (headers[line.slice(0, colon).trim().toLowerCase()] ??= []).push(line.slice(colon + 1).trim());
  }
  const url = new URL(text);
  if (method.toLowerCase() !== 'grpc') return { method, url, headers };
  if (!/^\/[^/]+\/[^/]+$/.test(url.pathname))
    throw usageError(
      `${JSON.stringify(url.pathname)} names no method of a gRPC service`,
      'write http://HOST/SERVICE/METHOD, e.g. http://orders/shop.v1.Orders/Place',
    );
  headers['content-type'] ??= ['application/grpc'];
  headers['te'] ??= ['trailers'];
  return { method: 'POST', url, headers };
}
