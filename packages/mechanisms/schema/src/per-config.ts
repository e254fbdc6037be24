/**
 * What a filter makes of its configuration (matchers, buckets), computed once for each configuration object: hooks get
 * the one in force on the route as an argument. Asking again for the same one is a comparison, which is the usual case;
 * otherwise a look-up by identity. Configurations that are no longer in use are forgotten with what was made of them.
 */
export function perConfig<Config extends object, Made>(
  make: (config: Config) => Made,
): (config: Config) => Made {
  const known = new WeakMap<Config, Made>();
  let lastConfig: Config | undefined;
  let lastMade: Made | undefined;
  return (config) => {
    if (config === lastConfig) return lastMade as Made;
    let made = known.get(config);
    if (made === undefined) {
      made = make(config);
      known.set(config, made);
    }
    lastConfig = config;
    lastMade = made;
    return made;
  };
}
