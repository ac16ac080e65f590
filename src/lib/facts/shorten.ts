/** Made when it is needed: browsers load what reads this module, too, and some of them have none. */
const segmenter = (): Intl.Segmenter => new Intl.Segmenter('en', { granularity: 'grapheme' });

/** Longer ones are made up to be long: any number of marks can stand on one letter. */
const LONGEST_CHARACTER = 64;

/** What a reader takes for the characters of a text: a flag, or a letter with its marks, is one of them. */
export const charactersOf = (text: string): string[] => Array.from(segmenter().segment(text), ({ segment }) => segment);

/**
 * The beginning of a text: `longest` UTF-16 units at most, which is what JavaScript and Telegram count, and never an end
 * within a character.
 */
export function beginningOf(text: string, longest: number): string {
  if (text.length <= longest) return text;
  const near = text.slice(0, longest + LONGEST_CHARACTER);
  const cut = segmenter().segment(near).containing(longest)?.index ?? longest;
  if (longest - cut <= LONGEST_CHARACTER) return text.slice(0, cut);
  // Half of a surrogate pair would be no character at all: https://www.unicode.org/faq/utf_bom.html
  const isHalf = /[\ud800-\udbff]$/.test(text.slice(0, longest));
  return text.slice(0, isHalf ? longest - 1 : longest);
}

/** The text, or its beginning and an ellipsis: `longest` UTF-16 units at most, and never an end within a character. */
export const shorten = (text: string, longest: number): string =>
  text.length <= longest ? text : `${beginningOf(text, longest - 1).trimEnd()}…`;
