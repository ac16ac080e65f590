/** How many of the last checks a strip shows. */
export const STRIP_CHECKS = 60;

/** How a check is drawn: colour is never alone, so trouble is taller too. Heights within a strip of 18. */
const HEIGHTS: Readonly<Record<string, number>> = { h: 10, u: 14, d: 18, m: 6, '?': 3, '-': 2 };
const WORDS: Readonly<Record<string, string>> = {
  h: 'healthy',
  u: 'unhealthy',
  d: 'down',
  m: 'under maintenance',
  '?': 'not known',
};

export const STRIP_HEIGHT = 18;
export const STRIP_STEP = 3;
/** Of a line as wide as a bar is high: each check is a dash of it. Bars one by one would be a third of the fleet page. */
export const STRIP_DASHES = '2 1';
const BAR_WIDTH = 2;

/** A place whose check has not been yet. */
const NOT_YET = '-';

/** The bars of one state: an SVG path to be stroked, `width` wide, in `STRIP_DASHES`. */
export type StripPath = { readonly state: string; readonly width: number; readonly path: string };

/** The bars of a strip of `places` checks, the newest at the right end: a path for each state in it. */
export function stripPaths(strip: string, places: number): StripPath[] {
  const states = strip.slice(-places).padStart(places, NOT_YET);
  const paths = new Map<string, string>();
  for (let from = 0, to = 0; from < places; from = to) {
    const state = states.charAt(from);
    while (to < places && states.charAt(to) === state) to += 1;
    const middle = STRIP_HEIGHT - heightOf(state) / 2;
    const line = `M${from * STRIP_STEP} ${middle}h${(to - from - 1) * STRIP_STEP + BAR_WIDTH}`;
    paths.set(state, (paths.get(state) ?? '') + line);
  }
  return [...paths].map(([state, path]) => ({ state, width: heightOf(state), path }));
}

const heightOf = (state: string): number => HEIGHTS[state] ?? 0;

/** `last 60 checks: 57 healthy, 3 down`, for those who do not see it. */
export function stripInWords(strip: string): string {
  if (strip === '') return 'not checked yet';
  const counted = Object.keys(WORDS).flatMap((state) => {
    const count = [...strip].filter((one) => one === state).length;
    return count === 0 ? [] : [`${count} ${WORDS[state]}`];
  });
  return `last ${strip.length} checks: ${counted.join(', ')}`;
}
