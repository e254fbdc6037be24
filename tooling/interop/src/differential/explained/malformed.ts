import { readMessage } from '@tulle/testkit';
import type { Difference } from '../compare.ts';
import { END_STREAM, readFrames, TYPE } from '../frames.ts';
import type { Json } from '../configuration.ts';
import type { Pair } from './pair.ts';

/** Characters of a method or a field's name (RFC 9110 §5.6.2). */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** Methods that HTTP has (RFC 9110 §9.1, RFC 5789). */
const METHODS = /^(GET|HEAD|POST|PUT|DELETE|CONNECT|OPTIONS|TRACE|PATCH)$/;
/** Characters of a target (RFC 3986 §2), each percent sign with its digits. */
const TARGET = /^(?:[A-Za-z0-9._~:/?[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+$/;
/** A registered name (RFC 3986 §3.2.2) without escapes, empty labels and commas, or IPv6; and a port. */
const HOST = /^(?:\[[0-9A-Fa-f:.]+\]|[\w~!$&'()*+;=-]+(?:\.[\w~!$&'()*+;=-]+)*\.?)(?::(\d{1,5}))?$/;
/** RFC 9112 §3 asks for 8000 octets of a request line; a longer target may be refused. */
const LONGEST_TARGET = 8_192;
/** Fields that are taken, as by Envoy where nothing is said. */
const MOST_FIELDS = 100;

/** Extensions behind the size of a chunk (RFC 9112 §7.1.1), which say nothing here. */
const EXTENSIONS =
  /(\r\n[0-9A-Fa-f]+)(?:;[!#$%&'*+.^_`|~0-9A-Za-z-]+(?:=(?:[^\s;"]+|"[^"\r\n]*"))?)+(?=\r\n)/g;

function isHost(text: string): boolean {
  const match = HOST.exec(text);
  return match !== null && Number(match[1] ?? 1) >= 1 && Number(match[1] ?? 1) <= 65_535;
}

/** What of the first request in some text a strict reader of RFC 9112 does not take; `undefined`: it is as it should be. */
export function faultOfHttp1(text: string): string | undefined {
  if (/^(\r\n){2}/.test(text)) return 'empty lines before it';
  const end = text.indexOf('\r\n\r\n', 2);
  if (end < 0) return 'no end of its head';
  const [start = '', ...lines] = text.slice(0, end).replace(/^\r\n/, '').split('\r\n');
  const [method = '', target = '', version = '', ...rest] = start.split(' ');
  if (rest.length > 0 || !TOKEN.test(method) || !/^HTTP\/1\.[01]$/.test(version)) return 'its start line';
  if (!METHODS.test(method)) return 'its method';
  if (target.length > LONGEST_TARGET) return 'the length of its target';
  if (!TARGET.test(target)) return 'its target';
  const fields = lines.map((line) => /^([^:]*):[\t ]*([\t\x20-\x7e\x80-\xff]*?)[\t ]*$/.exec(line));
  if (fields.some((field) => field === null || !TOKEN.test(field[1] ?? ''))) return 'a field';
  const values = (name: string): string[] =>
    fields.flatMap((field) => (field?.[1]?.toLowerCase() === name ? [field[2] ?? ''] : []));
  const hosts = values('host');
  if (hosts.length !== 1 && version !== 'HTTP/1.0') return 'its host';
  if (!hosts.every(isHost)) return 'its host';
  const absolute = /^(https?):\/\/([^/?]*)/i.exec(target);
  const second = method === 'CONNECT' ? target : absolute?.[2];
  if (second !== undefined && second.toLowerCase() !== hosts[0]?.toLowerCase()) return 'two hosts';
  const isForm = method === 'CONNECT' ? isHost(target) : target.startsWith('/') || absolute !== null;
  if (!isForm && !(method === 'OPTIONS' && target === '*')) return 'the form of its target';
  if (values('expect').some((value) => value.toLowerCase() !== '100-continue')) return 'what it expects';
  return faultOfBody(text, version, values);
}

function faultOfBody(
  text: string,
  version: string,
  values: (name: string) => readonly string[],
): string | undefined {
  const [codings, lengths] = [values('transfer-encoding'), values('content-length')];
  if (codings.length > 1 || (codings.length > 0 && version === 'HTTP/1.0')) return 'its coding';
  if (codings.some((coding) => coding.toLowerCase() !== 'chunked')) return 'its coding';
  if (lengths.length > 1 || !lengths.every((length) => /^\d{1,15}$/.test(length))) return 'its length';
  if (codings.length + lengths.length > 1) return 'two framings';
  try {
    const message = readMessage(text.replace(/^\r\n/, '').replaceAll(EXTENSIONS, '$1'), 'request', false);
    // A line of a chunk ends with CRLF (RFC 9112 §7.1): what has none is not waited for.
    if (message === undefined && codings.length > 0 && /\r\n\r\n[\da-f]+\n/i.test(text)) return 'its body';
    return message?.trailers.some(([name]) => name === 'content-length') === true ? 'a trailer' : undefined;
  } catch {
    return 'its body';
  }
}

/** Explanation `strict-http1`: what is not valid is refused, and reaches no origin, whatever Envoy makes of it. */
export function explainsHttp1(
  { aspect, envoy, tulle }: Difference,
  { exchange, observations }: Pair,
): boolean {
  if (exchange?.protocol !== 'raw' || observations === undefined) return false;
  const { reply, seen } = observations.tulle;
  // What stands behind the first request begins with a method that HTTP does not have.
  if (aspect === 'reply.statuses' && envoy.replace(/(?<= )400$/, '501') === tulle) return true;
  // A length is written as a plain number.
  if (/^seen\[0\]\.header\.content-length$/.test(aspect) && /^0+\d+$/.test(envoy))
    return envoy.replace(/^0+/, '') === tulle;
  if (seen.length > 0 || reply.outcome !== 'answered') return false;
  // One answer, and nothing behind it is taken for a request but the last question.
  const statuses = (reply.statuses ?? []).filter((status, i) => i === 0 || status !== '299');
  if (statuses.length !== 1 || !/^(4\d\d|50[15])$/.test(statuses[0] ?? '')) return false;
  return /^(reply\.|seen)/.test(aspect) && faultOfHttp1(exchange.bytes ?? '') !== undefined;
}

/** Fields of a block whose names and values are all literals without Huffman's code. */
function literals(block: Buffer): (readonly [string, string])[] {
  const fields: (readonly [string, string])[] = [];
  let at = 0;
  const text = (): string => {
    let length = block[at++] ?? 0;
    if (length === 127)
      for (let shift = 0; ; shift += 7) {
        const octet = block[at++] ?? 0;
        length += (octet & 0x7f) << shift;
        if (octet < 128) break;
      }
    at += length;
    return block.toString('latin1', at - length, at);
  };
  while (at < block.length && block[at] === 0) {
    at++;
    fields.push([text(), text()]);
  }
  return fields;
}

/** What of some frames RFC 9113 §6.3 and of the requests in them §8 does not allow, or may be refused as too much; `undefined`: nothing. */
export function faultOfHttp2(bytes: Buffer): string | undefined {
  let last = 0;
  let isOver = false;
  for (const { type, flags, stream, payload } of readFrames(bytes).frames) {
    if (type === TYPE.priority && stream === 0) return 'a priority of no stream';
    if (type !== TYPE.headers || (flags & 0x28) !== 0) continue;
    if (stream === last && isOver) return 'a stream twice';
    isOver = (flags & END_STREAM) !== 0;
    // Trailers.
    if (stream === last) continue;
    if (stream < last) return 'a stream before another one';
    last = stream;
    const fields = literals(payload);
    if (fields.length > MOST_FIELDS) return 'many fields';
    const value = (name: string): string | undefined => fields.find(([one]) => one === name)?.[1];
    if (fields.some(([, text]) => /^[ \t]|[ \t]$/.test(text))) return 'blanks around a value';
    if (!/^https?$/.test(value(':scheme') ?? '')) return 'its scheme';
    if (!METHODS.test(value(':method') ?? '')) return 'its method';
    if (!TARGET.test(value(':path') ?? '')) return 'its path';
    const authority = value(':authority');
    if (authority !== undefined && !isHost(authority)) return 'its authority';
    if (fields.some(([name, text]) => name === 'host' && authority !== undefined && text !== authority))
      return 'two hosts';
  }
  return undefined;
}

/** A field's name has an underscore, for which requests are refused: Envoy ends the stream then, Tulle answers. */
function isRefusedByName({ configuration, exchange, observations }: Pair): boolean {
  const options = (configuration.manager?.['common_http_protocol_options'] ?? {}) as Json;
  return (
    exchange?.protocol === 'http2' &&
    options['headers_with_underscores_action'] === 'REJECT_REQUEST' &&
    exchange.headers?.some(([name]) => name.includes('_')) === true &&
    observations?.envoy.reply.outcome === 'ended' &&
    observations.tulle.reply.status === 400 &&
    observations.tulle.seen.length === 0
  );
}

/** Explanation `strict-http2`. */
export function explainsHttp2({ aspect, envoy, tulle }: Difference, pair: Pair): boolean {
  const { exchange, observations } = pair;
  if (isRefusedByName(pair))
    return (aspect.startsWith('reply.') && envoy === '(none)') || aspect === 'reply.outcome';
  if (exchange?.protocol !== 'frames' || observations === undefined || observations.tulle.seen.length > 0)
    return false;
  const [theirs, ours] = [observations.envoy.reply, observations.tulle.reply];
  const isRefused = (ours.statuses ?? []).every((one) => /: (reset|400|431|501|nothing)$/.test(one));
  if (!isRefused) return false;
  // What an origin saw of it was cut off, or no request.
  if (aspect.startsWith('seen') && observations.envoy.seen.every(({ fault }) => fault !== undefined))
    return true;
  if (theirs.fate === 'closed' && ours.fate === 'open') {
    if (aspect === 'reply.fate') return true;
    if (aspect === 'reply.statuses') return /: nothing/.test(envoy) && /: (reset|400|501)/.test(tulle);
  }
  return (
    /^(reply\.(statuses|fate)$|seen)/.test(aspect) &&
    faultOfHttp2(Buffer.from(exchange.bytes ?? '', 'latin1')) !== undefined
  );
}
