import { type CelError, isCelError } from '@bufbuild/cel';

/** How the library says that something is not there: a name, a key, an element. It has no codes; the specs hold the texts to it. */
const ABSENCE = /^(?:unresolved attribute$|field not found: |index \S+ out of bounds )/;

/** Whether an error is that something is not there, and nothing else went wrong. */
export function isAbsence({ message, cause }: CelError): boolean {
  const others = Array.isArray(cause) ? cause : [];
  return ABSENCE.test(message) && others.every((one) => isCelError(one) && isAbsence(one));
}
