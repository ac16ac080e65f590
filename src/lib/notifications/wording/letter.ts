import { cleanRemoteText } from '../../facts/remote-text.ts';
import type { Rendered } from '../channel.ts';
import { fullTime } from '../../facts/time-words.ts';

/** What a message says, in the order in which it is read. Plain text throughout: the forms below escape it. */
export type Letter = {
  /** Names the machine, so that subjects can be told apart in a list. */
  readonly subject: string;
  /** One sentence that can be read aloud. */
  readonly lead: string;
  /** What was seen. */
  readonly seen: readonly string[];
  readonly groups?: readonly { readonly title: string; readonly lines: readonly string[] }[];
  /** What happens next, and what the reader can do. */
  readonly next: readonly string[];
  /** The command that decides, as it is typed. */
  readonly command?: string;
  readonly link: { readonly label: string; readonly url: string };
  readonly writtenAtMs: number;
};

const LONGEST_SUBJECT = 150;
const LONGEST_LINE = 600;
const clean = (text: string): string => cleanRemoteText(text, LONGEST_LINE);

/** Makes text and HTML of a letter. Control characters are gone from both, and markup is escaped. */
export const layOut = (letter: Letter): Rendered => ({
  subject: cleanRemoteText(letter.subject, LONGEST_SUBJECT),
  text: asText(letter),
  html: asHtml(letter),
});

const footer = (letter: Letter): string =>
  `Written by Wardround on ${fullTime(letter.writtenAtMs)}. All times are UTC.`;

function asText(letter: Letter): string {
  const groups = (letter.groups ?? []).map(({ title, lines }) =>
    [clean(title), ...lines.map((line) => `  - ${clean(line)}`)].join('\n'),
  );
  const parts = [
    clean(letter.lead),
    letter.seen.map(clean).join('\n'),
    ...groups,
    letter.next.map(clean).join('\n'),
    letter.command === undefined ? '' : `    ${clean(letter.command)}`,
    `${letter.link.label}: ${clean(letter.link.url)}`,
    `-- \n${footer(letter)}`,
  ];
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`;
}

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};
const escape = (text: string): string => clean(text).replaceAll(/[&<>"']/g, (char) => ESCAPES[char] ?? char);

// Colours stand inline, as many mail programs drop style sheets; those that know dark mode read the sheet.
const DARK = `@media (prefers-color-scheme: dark) {
  body { background: #14171c !important; color: #e6e8ec !important; }
  .quiet { color: #9aa3af !important; }
  .code { background: #232831 !important; color: #e6e8ec !important; }
  .link { color: #8ab4ff !important; }
}`;
const BODY =
  "margin:0;padding:24px;background:#ffffff;color:#1c2128;font:16px/1.5 -apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif";

function asHtml(letter: Letter): string {
  const paragraph = (lines: readonly string[], style = 'margin:0 0 16px'): string =>
    lines.length === 0 ? '' : `<p style="${style}">${lines.map(escape).join('<br>')}</p>`;
  const groups = (letter.groups ?? []).map(
    ({ title, lines }) =>
      `<h2 style="margin:0 0 4px;font-size:16px">${escape(title)}</h2><ul style="margin:0 0 16px;padding-left:20px">${lines
        .map((line) => `<li>${escape(line)}</li>`)
        .join('')}</ul>`,
  );
  return [
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">',
    `<meta name="color-scheme" content="light dark"><meta name="supported-color-schemes" content="light dark">`,
    `<title>${escape(letter.subject)}</title><style>${DARK}</style></head>`,
    `<body style="${BODY}"><div style="max-width:560px;margin:0 auto">`,
    paragraph([letter.lead], 'margin:0 0 16px;font-size:20px;line-height:1.35;font-weight:600'),
    paragraph(letter.seen),
    ...groups,
    paragraph(letter.next),
    letter.command === undefined
      ? ''
      : `<p style="margin:0 0 16px"><code class="code" style="display:inline-block;padding:8px 12px;border-radius:6px;background:#f0f2f5;color:#1c2128">${escape(letter.command)}</code></p>`,
    `<p style="margin:0 0 24px"><a class="link" style="color:#1a56db" href="${escape(letter.link.url)}">${escape(letter.link.label)}</a></p>`,
    `<p class="quiet" style="margin:0;padding-top:12px;border-top:1px solid #8884;font-size:13px;color:#5f6873">${escape(footer(letter))}</p>`,
    '</div></body></html>',
  ]
    .filter((part) => part !== '')
    .join('\n');
}
