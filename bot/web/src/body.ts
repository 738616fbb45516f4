import { svg, type TemplateResult } from 'lit';

/** Shapes of one side of the body: `id` is a body part of the knowledge base, `d` its outline, at 1 unit a pixel. */
interface Shape {
  id: string;
  d: string;
}

const box = (x: number, y: number, w: number, h: number, r = 14): string =>
  `M${x + r} ${y}h${w - 2 * r}a${r} ${r} 0 0 1 ${r} ${r}v${h - 2 * r}a${r} ${r} 0 0 1-${r} ${r}h${2 * r - w}` +
  `a${r} ${r} 0 0 1-${r}-${r}v${2 * r - h}a${r} ${r} 0 0 1 ${r}-${r}z`;
const WIDTH = 248;
const both = (x: number, y: number, w: number, h: number, r?: number): string =>
  box(x, y, w, h, r) + box(WIDTH - x - w, y, w, h, r);

const HEAD = box(93, 2, 62, 62, 30);
const NECK = box(99, 67, 50, 46, 12);
const TOP = box(76, 116, 96, 92, 18);
const MIDDLE = box(76, 211, 96, 68, 16);
const SHOULDERS = both(26, 116, 47, 52, 20);
const ARMS = both(24, 171, 47, 92, 18);
const HANDS = both(20, 266, 48, 50, 20);
const THIGHS = both(76, 282, 47, 82, 16);
const LEGS = both(76, 367, 47, 72, 16);
const FEET = both(70, 442, 53, 46, 16);

const SHARED: Shape[] = [
  { id: 'neck', d: NECK },
  { id: 'shoulder', d: SHOULDERS },
  { id: 'arm', d: ARMS },
  { id: 'hand', d: HANDS },
];

const SIDES: Record<'front' | 'back', Shape[]> = {
  front: [
    { id: 'face', d: HEAD },
    ...SHARED,
    { id: 'chest', d: TOP },
    { id: 'abdomen', d: MIDDLE },
    { id: 'thigh', d: THIGHS },
    { id: 'leg', d: LEGS },
    { id: 'foot', d: FEET },
  ],
  back: [
    ...SHARED,
    { id: 'upper_back', d: TOP },
    { id: 'back', d: MIDDLE },
    { id: 'thigh', d: THIGHS },
    { id: 'calf', d: LEGS },
    { id: 'foot', d: FEET },
  ],
};

/** The drawn body; each part is a button that keyboard and screen reader reach. */
export function body(side: 'front' | 'back', name: (id: string) => string, pick: (id: string) => void): TemplateResult {
  const part = ({ id, d }: Shape): TemplateResult => svg`<g class="part" role="button" tabindex="0"
      aria-label=${name(id)} @click=${() => pick(id)} @keydown=${(event: KeyboardEvent) => {
        if (event.key !== 'Enter' && event.key !== ' ') return;
        event.preventDefault();
        pick(id);
      }}><title>${name(id)}</title><path d=${d}/></g>`;
  const outline = side === 'back' ? svg`<path class="blank" d=${HEAD}/>` : '';
  return svg`<svg class="body" viewBox="0 0 ${WIDTH} 490" role="group">${outline}${SIDES[side].map(part)}</svg>`;
}
