import { svg, type TemplateResult } from 'lit';

const icon = (d: string): TemplateResult =>
  svg`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false"><path d=${d}/></svg>`;

const THUMB = 'M7 21V10l4.5-7.5c1.6 0 2.5 1.1 2.2 2.7L13 9h5.5a2.3 2.3 0 0 1 2.2 2.8l-1.5 6.9A3 3 0 0 1 16.3 21zH3V10h4';

export const icons = {
  chat: icon('M21 12a8 8 0 0 1-8 8H4l2-3.3A8 8 0 1 1 21 12zM9 12h.01M13 12h.01M17 12h.01'),
  close: icon('M6 6l12 12M18 6L6 18'),
  options: icon('M4.5 12h1M11.5 12h1M18.5 12h1'),
  alert: icon('M12 8v5M12 16.5h.01M10.3 3.9L2.5 17.5A2 2 0 0 0 4.2 20.5h15.6a2 2 0 0 0 1.7-3L13.7 3.9a2 2 0 0 0-3.4 0z'),
  phone: icon('M5 4h4l1.5 5-2.5 1.5a11 11 0 0 0 5.5 5.5L15 13.5l5 1.5v4a1 1 0 0 1-1 1A16 16 0 0 1 4 5a1 1 0 0 1 1-1z'),
  up: icon(THUMB),
  down: svg`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false"
      ><path transform="rotate(180 12 12)" d=${THUMB}/></svg>`,
};
