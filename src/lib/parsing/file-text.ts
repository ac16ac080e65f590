/** A file that people hand in is read whole: what is larger is refused before anything looks into it. */
export const MOST_FILE_BYTES = 8 * 1024 * 1024;

/** What was read of a file, or why it is none that can be: a sentence without its full stop. */
export type FileText = { readonly text: string } | { readonly problem: string };

/** The text of a file in UTF-8, with line feeds alone and without a byte order mark. */
export function readFileText(bytes: Uint8Array): FileText {
  if (bytes.length > MOST_FILE_BYTES)
    return { problem: `the file has ${bytes.length} bytes; allowed: up to ${MOST_FILE_BYTES}` };
  if ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff))
    return { problem: 'the file is written in UTF-16; save it as UTF-8' };
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return { problem: 'the file is not written in UTF-8 (it may be in Latin-1, or no text at all); save it as UTF-8' };
  }
  return readPastedText(text);
}

/** The same of a text that was typed or pasted. */
export function readPastedText(given: string): FileText {
  if (given.length > MOST_FILE_BYTES)
    return { problem: `the text has ${given.length} characters; allowed: up to ${MOST_FILE_BYTES}` };
  if (given.includes('\0')) return { problem: 'there is a NUL in the file, so it is no text' };
  const text = given.replace(/^\ufeff/, '').replaceAll(/\r\n?/g, '\n');
  return text.trim() === '' ? { problem: 'the file is empty' } : { text };
}
