/** What the page asks for, by attributes of the script tag. */
export interface Config {
  /** Address that `socket.io` and the bundle are served under, with a final slash. */
  base: URL;
  title: string | undefined;
  color: string | undefined;
  theme: 'light' | 'dark' | 'auto';
  lang: string;
  dir: 'ltr' | 'rtl';
  country: string | undefined;
  position: 'start' | 'end';
  open: boolean;
  privacy: string | undefined;
}

const RIGHT_TO_LEFT = ['ar', 'arc', 'ckb', 'dv', 'fa', 'he', 'ks', 'ps', 'sd', 'ug', 'ur', 'yi'];
/** Languages that there are labels for; a screen reader must not be told another. */
const SPOKEN = ['en'];

export function readConfig(script: HTMLScriptElement | null): Config {
  const data = script?.dataset ?? {};
  const page = document.documentElement;
  const tag = data.lang ?? page.lang;
  const language = tag.split('-')[0]!.toLowerCase();
  const rtl = data.lang ? RIGHT_TO_LEFT.includes(language) : getComputedStyle(page).direction === 'rtl';
  return {
    base: new URL('..', script?.src || location.href),
    title: data.title,
    color: data.color && CSS.supports('color', data.color) ? data.color : undefined,
    theme: data.theme === 'light' || data.theme === 'dark' ? data.theme : 'auto',
    lang: SPOKEN.includes(language) ? tag : 'en',
    dir: rtl ? 'rtl' : 'ltr',
    country: data.country,
    position: data.position === 'left' || data.position === 'start' ? 'start' : 'end',
    open: data.open !== undefined && data.open !== 'false',
    privacy: data.privacy && webAddress(data.privacy),
  };
}

function webAddress(value: string): string | undefined {
  const url = URL.canParse?.(value, location.href) === false ? null : new URL(value, location.href);
  return url && /^https?:$/.test(url.protocol) ? url.href : undefined;
}
