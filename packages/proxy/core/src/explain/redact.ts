import { isSecretField } from './describe.ts';

/** Parameters that carry credentials beside those whose name says so: codes of OAuth, keys and signatures of signed URLs. */
const SECRET_PARAMETER = /^(?:code|sig|pwd|jwt|auth|assertion)$|(?:key|signature)$/i;

const SHOWN = '[redacted]';
/** What stands before the name of a parameter, also of one within a value (`?next=/back?token=…`). */
const BEFORE_NAME = ' \t\r\n?&;=#/"\'(';
/** What ends a value that is not shown. A semicolon does not: some origins count it as part of the value. */
const AFTER_VALUE = /[& \t\r\n]/g;

/**
 * A query, or a text that may repeat one, without the values of parameters that carry credentials. Names are compared
 * decoded and without case. Linear in its length.
 */
export function redactParameters(text: string): string {
  let shown = '';
  let from = 0;
  for (let equals = text.indexOf('='); equals >= 0; equals = text.indexOf('=', Math.max(equals + 1, from))) {
    let start = equals;
    while (start > from && !BEFORE_NAME.includes(text.charAt(start - 1))) start--;
    if (!isSecretParameter(text.slice(start, equals))) continue;
    AFTER_VALUE.lastIndex = equals + 1;
    const end = AFTER_VALUE.exec(text)?.index ?? text.length;
    shown += text.slice(from, equals + 1) + SHOWN;
    from = end;
  }
  return shown + text.slice(from);
}

function isSecretParameter(name: string): boolean {
  const plain = name.replace(/%([0-7][0-9A-Fa-f])/g, (_, octet: string) =>
    String.fromCharCode(Number.parseInt(octet, 16)),
  );
  return isSecretField(plain) || SECRET_PARAMETER.test(plain);
}
