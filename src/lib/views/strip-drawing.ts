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
const BAR_WIDTH = 2;

/** A place whose check has not been yet. */
const NOT_YET = '-';

/** The bars of a strip of `places` checks, the newest at the right end: an SVG path for each state in it. */
export function stripPaths(strip: string, places: number): { readonly state: string; readonly path: string }[] {
  const states = [...strip.slice(-places).padStart(places, NOT_YET)];
  return [...new Set(states)].map((state) => {
    const height = HEIGHTS[state] ?? 0;
    const bars = states.flatMap((one, index) =>
      one === state ? [`M${index * STRIP_STEP} ${STRIP_HEIGHT - height}h${BAR_WIDTH}v${height}h-${BAR_WIDTH}z`] : [],
    );
    return { state, path: bars.join('') };
  });
}

/** `last 60 checks: 57 healthy, 3 down`, for those who do not see it. */
export function stripInWords(strip: string): string {
  if (strip === '') return 'not checked yet';
  const counted = Object.keys(WORDS).flatMap((state) => {
    const count = [...strip].filter((one) => one === state).length;
    return count === 0 ? [] : [`${count} ${WORDS[state]}`];
  });
  return `last ${strip.length} checks: ${counted.join(', ')}`;
}
