/**
 * A value as it travels over the bus: `y b n q i u d` are numbers and truth, `x t` bigints, `s o g` strings, `ay` bytes,
 * other arrays and structs lists, `a{…}` a map.
 */
export type BusValue =
  number | bigint | boolean | string | Uint8Array | readonly BusValue[] | ReadonlyMap<BusValue, BusValue> | BusVariant;

/** A value that says of itself of which type it is. */
export type BusVariant = { readonly signature: string; readonly value: BusValue };

export const isVariant = (value: BusValue | undefined): value is BusVariant =>
  typeof value === 'object' && 'signature' in value;

/** Source: D-Bus, valid object paths. */
export const isObjectPath = (text: string): boolean =>
  /^\/(?:$|[A-Za-z0-9_])/.test(text) &&
  /^[A-Za-z0-9_/]*$/.test(text) &&
  !text.includes('//') &&
  (text === '/' || !text.endsWith('/'));
