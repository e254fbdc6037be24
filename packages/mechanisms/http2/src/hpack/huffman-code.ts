/** Octets, and EOS (256), that the code of RFC 7541 appendix B has symbols for. */
export const SYMBOLS = 257;
export const EOS = 256;
export const LONGEST_CODE_BITS = 30;

/**
 * Bits of each symbol's code (RFC 7541 appendix B). The code is canonical: codes of one length are consecutive numbers in
 * the order of their symbols, so the lengths say everything.
 */
export const CODE_BITS: Uint8Array = new Uint8Array([
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28,
  28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7,
  8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19,
  13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13,
  28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21,
  22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23,
  22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
  19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25,
  25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
]);

/** First code of each length, as a number of that many bits. */
export const FIRST_CODE: Int32Array = new Int32Array(LONGEST_CODE_BITS + 1);
/** How many codes have each length. */
export const CODES_OF_LENGTH: Int32Array = new Int32Array(LONGEST_CODE_BITS + 1);
/** Where the symbols of each length begin in {@link SYMBOL_ORDER}. */
export const FIRST_SYMBOL: Int32Array = new Int32Array(LONGEST_CODE_BITS + 1);
/** Symbols by code: by length, then by number. */
export const SYMBOL_ORDER: Uint16Array = new Uint16Array(SYMBOLS);
/** Code of each symbol. */
export const CODE: Int32Array = new Int32Array(SYMBOLS);

let code = 0;
let place = 0;
for (let bits = 1; bits <= LONGEST_CODE_BITS; bits++) {
  code <<= 1;
  FIRST_CODE[bits] = code;
  FIRST_SYMBOL[bits] = place;
  for (let symbol = 0; symbol < SYMBOLS; symbol++) {
    if (CODE_BITS[symbol] !== bits) continue;
    SYMBOL_ORDER[place++] = symbol;
    CODE[symbol] = code++;
  }
  CODES_OF_LENGTH[bits] = place - (FIRST_SYMBOL[bits] as number);
}
