/** Short response flags in the order of their bits (Envoy `CoreResponseFlag`; its page "Attributes" lists them). */
const FLAGS =
  'LH UH UT LR UR UF UC UO NR DI FI RL UAEX RLSE DC URX SI IH DPE UMSDR RFCF NFCF DT UPE NC OM DF DO DR'.split(
    ' ',
  );

/** What `response.flags` is: a bit for each; those that Envoy does not have are none. */
export const flagBits = (flags: readonly string[]): bigint =>
  flags.reduce((bits, flag) => {
    const place = FLAGS.indexOf(flag);
    return place < 0 ? bits : bits | (1n << BigInt(place));
  }, 0n);
