type Line = { readonly name: string; readonly points: readonly (readonly [x: number, y: number])[] };

const WIDTH = 640;
const PANEL = 200;
const LEFT = 56;
const RIGHT = 24;
const TOP = 44;
const BOTTOM = 40;
const rounded = (value: number): string => value.toLocaleString('en', { maximumFractionDigits: 1 });

/** An SVG with a panel for each line, over one axis that begins at 0: what grows evenly is straight. */
export function drawLines(title: string, xName: string, lines: readonly Line[]): string {
  const maxX = Math.max(...lines.flatMap(({ points }) => points.map(([x]) => x)));
  const xOf = (x: number): number => LEFT + (x / maxX) * (WIDTH - LEFT - RIGHT);
  const panels = lines.map(({ name, points }, index) => {
    const bottom = TOP + index * (PANEL + BOTTOM) + PANEL - 20;
    const maxY = Math.max(...points.map(([, y]) => y));
    const yOf = (y: number): number => bottom - (y / maxY) * (PANEL - 48);
    const hasRoom = (index: number): boolean =>
      xOf(points[index + 1]?.[0] ?? Infinity) - xOf(points[index]?.[0] ?? 0) > 40;
    const dots = points
      .map(([x, y], index) => {
        const at = `cx="${xOf(x).toFixed(1)}" cy="${yOf(y).toFixed(1)}"`;
        const dot = `<circle ${at} r="3"/>`;
        if (!hasRoom(index)) return dot;
        return `${dot}<text x="${xOf(x).toFixed(1)}" y="${(yOf(y) - 8).toFixed(1)}" text-anchor="end">${rounded(y)}</text>`;
      })
      .join('');
    const ticks = points
      .filter((_, index) => hasRoom(index))
      .map(([x]) => `<text x="${xOf(x).toFixed(1)}" y="${bottom + 16}" text-anchor="middle">${rounded(x)}</text>`)
      .join('');
    const path = points.map(([x, y]) => `${xOf(x).toFixed(1)},${yOf(y).toFixed(1)}`).join(' ');
    return `<text x="${LEFT}" y="${bottom - PANEL + 36}" font-weight="bold">${name}</text>
<path d="M${LEFT} ${bottom - PANEL + 48}V${bottom}H${WIDTH - RIGHT}" fill="none" stroke="#888"/>
<polyline points="${path}" fill="none" stroke="#2563eb" stroke-width="2"/>
<g fill="#2563eb">${dots}</g>${ticks}<text x="${WIDTH - RIGHT}" y="${bottom + 32}" text-anchor="end">${xName}</text>`;
  });
  const height = TOP + lines.length * (PANEL + BOTTOM);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="11">
<rect width="${WIDTH}" height="${height}" fill="#fff"/>
<text x="${LEFT}" y="24" font-size="14" font-weight="bold">${title}</text>
${panels.join('\n')}
</svg>
`;
}
