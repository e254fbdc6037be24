import type { Any } from '@bufbuild/protobuf/wkt';

/** A resource as a message, or why there is none. */
export interface Written {
  readonly any?: Any;
  /** Field of Envoy's dumps. */
  readonly errorState?: { readonly errorState: { readonly details: string } };
}

/** A resource as a message, or why what is in use cannot be written as one. */
export function written(name: string, encode: () => Any): Written {
  try {
    return { any: encode() };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return {
      errorState: { errorState: { details: `${name} is in use and cannot be written here: ${why}` } },
    };
  }
}
