/** Controls, line separators, and what reorders or hides the text around it: marks, overrides and isolates of direction. */
const MISLEADING = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]/u;

/** Whether a text that a person gave can stand in a sentence, a table or a log without changing what is around it. */
export const isPlainText = (text: string): boolean => !MISLEADING.test(text);
