export type ErrorWords = { readonly title: string; readonly text: string };

const NOT_FOUND = 'There is no such page';
const OF_STATUS: Readonly<Record<number, ErrorWords>> = {
  400: { title: 'That cannot be read', text: 'Go back, and try once more.' },
  401: { title: 'Sign in first', text: 'This is for whoever has an account.' },
  403: {
    title: 'That is not for this account',
    text: 'Customers see their own VPS, administrators everything. If you need more, ask an administrator.',
  },
  404: {
    title: NOT_FOUND,
    text: 'The address may be mistyped, or what was here has been removed, or belongs to somebody else.',
  },
  405: { title: 'That cannot be done here', text: 'This address only shows a page.' },
  413: { title: 'That is too large', text: 'A form may have half a megabyte. Go back, and send less.' },
  415: { title: 'That cannot be read', text: 'Only forms of these pages can be sent here.' },
  503: { title: 'That has to wait', text: 'Try again in a moment.' },
};
const OUR_FAULT: ErrorWords = {
  title: 'Something went wrong here',
  text: 'The fault is ours, and the log of the server says more. Try again; if it stays like this, tell an administrator when it happened.',
};

/** What the framework says of itself, where we have said nothing. */
const isOfTheFramework = (message: string): boolean =>
  /^(?:Not Found|Internal Error|Unsupported Media Type|Error: \d+)$/i.test(message) ||
  message === 'Malformed URI' ||
  message.includes(' method not allowed') ||
  message.startsWith('No action ');

/** What an error page says. `said`: what was thrown with the status; of a fault of ours it is never shown. */
export function errorInWords(status: number, said: { readonly message?: string; readonly text?: string }): ErrorWords {
  const { message = '', text } = said;
  const words = OF_STATUS[status] ?? (status >= 500 ? OUR_FAULT : { ...OUR_FAULT, title: NOT_FOUND });
  const isOurs = message !== '' && !isOfTheFramework(message) && (status < 500 || status === 503);
  return isOurs ? { title: message, text: text ?? words.text } : words;
}
