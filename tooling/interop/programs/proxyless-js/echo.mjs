// One service of JSON bytes, so that no generated code is needed.
const json = {
  serialize: (value) => Buffer.from(JSON.stringify(value)),
  deserialize: (bytes) => JSON.parse(bytes.toString()),
};

const method = (path) => ({
  path,
  requestStream: false,
  responseStream: false,
  requestSerialize: json.serialize,
  requestDeserialize: json.deserialize,
  responseSerialize: json.serialize,
  responseDeserialize: json.deserialize,
});

/** `Say` answers who answered; `Secret` the same, for policies to deny. */
export const ECHO = {
  say: method('/tulle.interop.Echo/Say'),
  secret: method('/tulle.interop.Echo/Secret'),
};
