const PLAIN = /^[\w@:.-]+$/;

/** `text` as one word of a remote command line, whatever stands in it; quoted only where a shell would take it apart. */
export const shellWord = (text: string): string =>
  PLAIN.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
