/** How trouble is put to the person who rents the server: on pages and in messages alike, without jargon or blame. */
export type TroubleWords = {
  /** Beside its mark. */
  readonly label: string;
  /** The subject of a message. */
  readonly subject: (host: string) => string;
  /** How it is now, without a full stop. `where`: `your server`, or that with the name of its host. */
  readonly now: (where: string) => string;
  readonly since: (where: string, when: string) => string;
  /** How it was, once it is over; `span`: `from 14:03 to 15:20 UTC`. */
  readonly over: (where: string, span: string) => string;
  /** The same within a sentence, or after a colon. */
  readonly past: string;
  /** What else is known. */
  readonly note: (service: string) => string;
  readonly ended: (duration: string) => string;
  /** The good news, as a subject and as a sentence. */
  readonly backSubject: (host: string) => string;
  readonly back: (where: string) => string;
};

const first = (text: string): string => text.slice(0, 1).toUpperCase() + text.slice(1);

const RUNS_AGAIN = {
  backSubject: (host: string) => `${host} is running again`,
  back: (where: string) => `${first(where)} is running again`,
} as const;
/** It may have been running all the while. */
const CHECKED_AGAIN = {
  backSubject: (host: string) => `${host}: the service is running`,
  back: (where: string) => `We can check the service on ${where} again: it is running`,
} as const;

/** Whatever goes wrong looks like one of these from outside. */
export const TROUBLE_WORDS = {
  not_running: {
    ...RUNS_AGAIN,
    label: 'Not running',
    subject: (host) => `${host}: the service is not running`,
    now: (where) => `The service on ${where} is not running`,
    since: (where, when) => `The service on ${where} has not been running since ${when}`,
    over: (where, span) => `The service on ${where} was not running ${span}`,
    past: 'the service was not running',
    note: (service) => `The server itself answers, but ${service} is stopped.`,
    ended: (duration) => `It was back after ${duration}`,
  },
  no_answer: {
    ...RUNS_AGAIN,
    label: 'No answer',
    subject: (host) => `${host} does not answer`,
    now: (where) => `${first(where)} does not answer`,
    since: (where, when) => `${first(where)} has not answered since ${when}`,
    over: (where, span) => `${first(where)} did not answer ${span}`,
    past: 'your server did not answer',
    note: () => 'Our checks do not get through to it.',
    ended: (duration) => `It was back after ${duration}`,
  },
  no_check: {
    ...CHECKED_AGAIN,
    label: 'Cannot be checked',
    subject: (host) => `${host}: we cannot check the service`,
    now: (where) => `We cannot check the service on ${where}`,
    since: (where, when) => `We have not been able to check the service on ${where} since ${when}`,
    over: (where, span) => `We could not check the service on ${where} ${span}`,
    past: 'the service could not be checked; our team has to look',
    note: () => 'The server itself answers, but our checks do not work there. The service may well be running.',
    ended: (duration) => `We could check it again after ${duration}`,
  },
  our_fault: {
    ...CHECKED_AGAIN,
    label: 'Unknown',
    subject: (host) => `${host}: our check did not work`,
    now: (where) => `We could not check ${where}; that is our fault`,
    since: (where, when) => `We have not been able to check ${where} since ${when}; that is our fault`,
    over: (where, span) => `We could not check ${where} ${span}; that was our fault`,
    past: 'we could not check it; that was our fault',
    note: () => 'It says nothing about the server.',
    ended: (duration) => `We could check it again after ${duration}`,
  },
} satisfies Record<string, TroubleWords>;

export type Trouble = keyof typeof TROUBLE_WORDS;
