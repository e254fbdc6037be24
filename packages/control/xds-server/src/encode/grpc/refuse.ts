/**
 * What a gRPC program cannot do, and what would change where a call goes, what it says, or who may make it, is not sent to it:
 * the resource is refused with its path, which status shows (D8).
 * @throws Error
 */
export function refuse(path: string, why: string): never {
  throw new Error(`${path}: ${why}`);
}

/** @throws Error for each of these fields that is there */
export function refuseFields<T extends object>(
  path: string,
  value: T,
  reasons: { readonly [K in keyof T]?: string },
): void {
  for (const [name, why] of Object.entries(reasons) as [keyof T & string, string][])
    if (value[name] !== undefined) refuse(`${path}/${name}`, why);
}
