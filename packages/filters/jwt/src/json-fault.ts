/** Objects nested deeper are refused: no token needs it, and what reads the claims may recurse. */
const MAX_DEPTH = 32;

/**
 * What makes a JSON text mean different things to different readers (RFC 7519 §4, RFC 8259 §4 and §9): an object names a
 * member twice, at any depth, escapes decoded (`"a"` and `"\u0061"` are one name), or is nested too deep.
 * @param json valid JSON: it was parsed before
 */
export function findJsonFault(json: string): 'duplicate' | 'depth' | undefined {
  const names: Set<string>[] = [];
  /** One entry an open bracket: whether it is an object. */
  const objects: boolean[] = [];
  let expectsName = false;
  for (let at = 0; at < json.length; at += 1) {
    switch (json.charCodeAt(at)) {
      case 0x22: {
        const end = endOfString(json, at);
        if (expectsName) {
          const name = json.slice(at + 1, end);
          const decoded = name.includes('\\') ? (JSON.parse(`"${name}"`) as string) : name;
          const seen = names.at(-1) as Set<string>;
          if (seen.has(decoded)) return 'duplicate';
          seen.add(decoded);
          expectsName = false;
        }
        at = end;
        break;
      }
      case 0x7b: // {
        if (objects.length >= MAX_DEPTH) return 'depth';
        objects.push(true);
        names.push(new Set());
        expectsName = true;
        break;
      case 0x5b: // [
        if (objects.length >= MAX_DEPTH) return 'depth';
        objects.push(false);
        expectsName = false;
        break;
      case 0x7d: // }
        names.pop();
        objects.pop();
        expectsName = false;
        break;
      case 0x5d: // ]
        objects.pop();
        break;
      case 0x2c: // ,
        expectsName = objects.at(-1) === true;
        break;
    }
  }
  return undefined;
}

/** Index of the quote that ends the string which begins at `start`. */
function endOfString(json: string, start: number): number {
  let at = start + 1;
  while (json.charCodeAt(at) !== 0x22) at += json.charCodeAt(at) === 0x5c ? 2 : 1;
  return at;
}
