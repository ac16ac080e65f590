type Layout = {
  readonly bytes: number;
  readonly read: (view: DataView, at: number, isLittle: boolean) => number | bigint;
  readonly write: (view: DataView, at: number, isLittle: boolean, value: number & bigint) => void;
};

/** How the types that are numbers lie in a message, by their codes; a text and an array begin with a `u`. */
const LAYOUTS: Readonly<Record<string, Layout>> = {
  y: { bytes: 1, read: (view, at) => view.getUint8(at), write: (view, at, _, value) => view.setUint8(at, value) },
  n: {
    bytes: 2,
    read: (view, at, isLittle) => view.getInt16(at, isLittle),
    write: (view, at, isLittle, value) => view.setInt16(at, value, isLittle),
  },
  q: {
    bytes: 2,
    read: (view, at, isLittle) => view.getUint16(at, isLittle),
    write: (view, at, isLittle, value) => view.setUint16(at, value, isLittle),
  },
  i: {
    bytes: 4,
    read: (view, at, isLittle) => view.getInt32(at, isLittle),
    write: (view, at, isLittle, value) => view.setInt32(at, value, isLittle),
  },
  u: {
    bytes: 4,
    read: (view, at, isLittle) => view.getUint32(at, isLittle),
    write: (view, at, isLittle, value) => view.setUint32(at, value, isLittle),
  },
  x: {
    bytes: 8,
    read: (view, at, isLittle) => view.getBigInt64(at, isLittle),
    write: (view, at, isLittle, value) => view.setBigInt64(at, value, isLittle),
  },
  t: {
    bytes: 8,
    read: (view, at, isLittle) => view.getBigUint64(at, isLittle),
    write: (view, at, isLittle, value) => view.setBigUint64(at, value, isLittle),
  },
  d: {
    bytes: 8,
    read: (view, at, isLittle) => view.getFloat64(at, isLittle),
    write: (view, at, isLittle, value) => view.setFloat64(at, value, isLittle),
  },
};

/** Undefined where the code is not that of a number. */
export const layoutOf = (code: string): Layout | undefined => LAYOUTS[code];

export const viewOf = ({ buffer, byteOffset, byteLength }: Uint8Array): DataView =>
  new DataView(buffer, byteOffset, byteLength);
