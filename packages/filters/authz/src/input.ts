import { type Headers, type HttpStream, pseudoHeader, type RequestHead } from '@tulle/filter';
import { compileStringMatch, type CompileContext } from '@tulle/match';
import type { AuthzExpression, AuthzInput } from '@tulle/model';
import type { ExpressionTest, ExpressionUse, JudgedConnection } from './expression.ts';

type AskedInput = Extract<AuthzExpression, { readonly input: AuthzInput }>;
type Text = (connection: JudgedConnection, stream: HttpStream | undefined) => string;

/** What is not there is `''`, which fulfils nothing. */
const TEXTS: Readonly<Record<Extract<AuthzInput, string>, Text>> = {
  'destination-ip': ({ localAddress }) => localAddress,
  'destination-port': ({ localAddress, localPort }) => (localAddress === '' ? '' : String(localPort)),
  'source-ip': ({ remoteAddress }, stream) => stream?.clientAddress ?? remoteAddress,
  // What a field names has no port.
  'source-port': ({ remoteAddress, remotePort }, stream) =>
    remoteAddress === ''
      ? ''
      : String(stream === undefined || stream.clientAddress === remoteAddress ? remotePort : 0),
  'direct-source-ip': ({ directAddress }) => directAddress,
  'server-name': ({ serverName }) => serverName ?? '',
};

/** A condition on what a matcher looks at. What is not there does not fulfil it. */
export function compileInput(
  { input, match }: AskedInput,
  context: CompileContext,
  path: string,
  { denies, negated = false }: ExpressionUse,
): ExpressionTest {
  const test = compileStringMatch(match, context, `${path}/match`);
  if (typeof input === 'string') {
    const textOf = TEXTS[input];
    return (connection, stream) => {
      const text = textOf(connection, stream);
      return text !== '' && test(text);
    };
  }
  const name = input.header.toLowerCase();
  // What denies asks whether it may hold, however the origin reads lines of one name; what allows, whether it does.
  const possibly = denies !== negated;
  return (_connection, stream) => stream !== undefined && linesHold(stream.request, name, test, possibly);
}

function linesHold(
  request: RequestHead,
  name: string,
  test: (text: string) => boolean,
  possibly: boolean,
): boolean {
  const own = pseudoHeader(request, name);
  if (own !== undefined) return test(own);
  const { headers } = request;
  let lines = 0;
  let held = 0;
  for (let index = 0; index < headers.length; index += 1) {
    if (headers.name(index) !== name) continue;
    lines += 1;
    if (test(headers.value(index))) held += 1;
  }
  if (lines <= 1 || !possibly) return lines > 0 && held === lines;
  return held > 0 || test(joined(headers, name));
}

/** One text, as Envoy makes it of several lines; of a cookie as HTTP/1 has it (RFC 9113 section 8.2.3). */
function joined(headers: Headers, name: string): string {
  const lines: string[] = [];
  for (let index = 0; index < headers.length; index += 1)
    if (headers.name(index) === name) lines.push(headers.value(index));
  return lines.join(name === 'cookie' ? '; ' : ',');
}
