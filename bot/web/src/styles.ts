import { css } from 'lit';

/*
 * The page may style everything with !important. Important rules of a shadow tree beat the page's, so :host resets
 * itself; all else hangs on .root, which no selector of the page reaches. Sizes are in em from `medium`, the size
 * that the reader chose: rem would follow the page.
 */
export const styles = css`
  :host {
    all: initial !important;
    display: contents !important;
  }
  .root {
    --bg: #fff; --fg: #1a1c20; --muted: #50555e; --line: #71767f; --bubble: #eef1f6;
    --accent: #0b5a8a; --on-accent: #fff; --focus: #0b5a8a;
    --danger: #b3261e; --on-danger: #fff; --danger-bg: #fff1ef; --warn: #8a5300; --warn-bg: #fff6e5;
    color-scheme: light;
    position: fixed; z-index: 2147483647; inset-block-end: 1em; inset-inline-end: 1em; display: block;
    font: 400 medium/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; font-size: 1.0625em;
    color: var(--fg); text-align: start; -webkit-text-size-adjust: 100%;
  }
  .root.start { inset-inline: 1em auto; }
  .root.dark {
    --bg: #16181d; --fg: #f1f3f7; --muted: #bcc1cb; --line: #8a909b; --bubble: #272b34;
    --accent: #8cc8f5; --on-accent: #052033; --focus: #8cc8f5;
    --danger: #ffb4ab; --on-danger: #410002; --danger-bg: #3a1715; --warn: #ffca7a; --warn-bg: #35270d;
    color-scheme: dark;
  }
  @media (prefers-contrast: more) {
    .root { --fg: #000; --muted: #26282c; --line: #000; }
    .root.dark { --bg: #000; --fg: #fff; --muted: #e6e8ec; --line: #fff; }
    .bubble, .card { border: 1px solid var(--line); }
  }
  *, ::before { box-sizing: border-box; }
  [hidden] { display: none !important; }
  p, ul, ol { margin: 0; padding: 0; }
  button, textarea, .button {
    font: inherit; color: inherit; letter-spacing: inherit; word-spacing: inherit; margin: 0;
  }
  button, .button {
    display: inline-flex; align-items: center; justify-content: center; gap: .5em; cursor: pointer;
    min-block-size: max(2.75em, 44px); min-inline-size: max(2.75em, 44px); padding: .3em .9em; text-align: start;
    border: 2px solid var(--line); border-radius: .8em; background: var(--bg); text-decoration: none;
    overflow-wrap: anywhere;
  }
  button:hover, .button:hover { border-color: var(--fg); }
  button[aria-pressed="true"] { background: var(--fg); color: var(--bg); border-color: var(--fg); }
  :focus { outline: none; }
  :focus-visible { outline: 3px solid var(--focus); outline-offset: 2px; }
  .solid { background: var(--accent); color: var(--on-accent); border-color: var(--accent); font-weight: 600; }
  .bare { border-color: transparent; background: transparent; padding: .3em; }
  svg.icon { inline-size: 1.4em; block-size: 1.4em; flex: none; fill: none; stroke: currentColor; stroke-width: 2;
    stroke-linecap: round; stroke-linejoin: round; }
  a { color: inherit; }
  .hidden { position: absolute; inline-size: 1px; block-size: 1px; overflow: hidden; clip-path: inset(50%);
    white-space: nowrap; }

  .launcher { border-radius: 2em; padding: .5em 1.2em; box-shadow: 0 2px 12px #0006; outline: 2px solid var(--bg); }

  .panel {
    display: flex; flex-direction: column; overflow: hidden; background: var(--bg);
    inline-size: min(27em, calc(100vw - 2em)); block-size: min(46em, calc(100dvh - 2em));
    border: 1px solid var(--line); border-radius: 1em; box-shadow: 0 6px 32px #0005;
  }
  header { display: flex; flex-wrap: wrap; align-items: center; justify-content: flex-end; gap: .25em; padding-block: .35em; padding-inline: 1em .35em; }
  h2 { flex: 1 1 7em; min-inline-size: 0; overflow-wrap: break-word; margin: 0; font-size: 1.06em; font-weight: 650; line-height: 1.3; }
  .disclaimer { padding: .1em 1.05em .55em; font-size: .9em; line-height: 1.4; color: var(--muted);
    border-block-end: 1px solid var(--line); }
  .tel { display: inline-block; padding-block: .15em; font-weight: 650; color: var(--fg); }
  .main { flex: 1; min-block-size: 0; overflow-y: auto; overscroll-behavior: contain; padding: 1em; }
  .log { display: flex; flex-direction: column; gap: .6em; outline-offset: -3px; }

  .entry { display: flex; flex-direction: column; align-items: flex-start; gap: .45em; max-inline-size: 100%; }
  .entry.me { align-items: flex-end; }
  .bubble, .card { padding: .6em .85em; border-radius: .9em; background: var(--bubble); overflow-wrap: anywhere;
    max-inline-size: 92%; }
  .me .bubble { background: var(--accent); color: var(--on-accent); white-space: pre-wrap; border-end-end-radius: .2em; }
  .bot .bubble { border-end-start-radius: .2em; }
  .text > * + * { margin-block-start: .5em; }
  .text ul { padding-inline-start: 1.1em; }
  .text li + li { margin-block-start: .25em; }
  .lead { font-weight: 650; }
  .text > .lead + * { margin-block-start: .15em; }
  .differs { display: block; border-inline-start: 3px solid var(--warn); padding-inline-start: .6em; }
  .state { font-size: .88em; color: var(--muted); max-inline-size: 92%; }

  .card { border: 2px solid var(--warn); background: var(--warn-bg); max-inline-size: 100%; inline-size: 100%; }
  .card .level { display: flex; align-items: center; gap: .4em; font-weight: 700; color: var(--warn); }
  .emergency, .crisis { border-color: var(--danger); background: var(--danger-bg); }
  .emergency .level, .crisis .level { color: var(--danger); }
  .emergency .first { font-size: 1.1em; font-weight: 600; }
  .summary { border-color: var(--line); background: var(--bg); }
  .call { background: var(--danger); color: var(--on-danger); border-color: var(--danger); font-weight: 700; }
  .card .row { margin-block: .7em; }
  .card .row:last-child { margin-block-end: 0; }

  .row { display: flex; flex-wrap: wrap; gap: .5em; list-style: none; }
  .row.yesno > * { flex: 1 1 auto; white-space: nowrap; }
  .suggestions button { border-color: var(--accent); }
  .root:not(.tinted) .suggestions button { color: var(--accent); }
  .extras { display: flex; flex-wrap: wrap; align-items: flex-start; gap: 0 .25em; inline-size: 100%; }
  details { font-size: .94em; }
  summary { cursor: pointer; min-block-size: 44px; display: inline-flex; align-items: center; gap: .35em;
    padding-inline: .25em .6em; border-radius: .6em; color: var(--muted); text-decoration: underline;
    text-underline-offset: .2em; list-style: none; }
  summary::-webkit-details-marker { display: none; }
  summary::before { content: ""; border: .3em solid transparent; border-inline-start: .45em solid;
    border-inline-end-width: 0; }
  details[open] > summary::before { transform: rotate(90deg); }
  details[open] { flex-basis: 100%; }
  details ol, details .text { padding-block: .1em .6em; padding-inline: 2.2em .5em; }
  details .text { padding-inline-start: .5em; }
  details li + li { margin-block-start: .3em; }
  .section { display: block; color: var(--muted); }
  .thumbs { display: flex; margin-inline-start: auto; }
  .thumbs button { color: var(--muted); }
  .thumbs button[aria-pressed="true"] { background: transparent; border-color: transparent; color: var(--fg); }
  .thumbs [aria-pressed="true"] svg { fill: currentColor; stroke: var(--bg); stroke-width: 1; }
  .reasons { padding: .1em 0 .3em; }

  .picker { inline-size: 100%; display: flex; flex-direction: column; gap: .6em; }
  .body { display: block; inline-size: min(100%, 260px); min-inline-size: 230px; margin-inline: auto; overflow: visible; }
  .blank { fill: var(--bubble); stroke: var(--line); }
  .part { cursor: pointer; outline: none; }
  .part path { fill: var(--bubble); stroke: var(--line); stroke-width: 1.5; }
  .part:hover path { fill: var(--accent); }
  .part:focus-visible path { stroke: var(--focus); stroke-width: 5; }

  .status { min-block-size: 1.6em; padding: .1em 1.1em; font-size: .9em; color: var(--muted); }
  .status.alarm { color: var(--fg); font-weight: 600; }
  form { display: flex; align-items: flex-end; gap: .5em; padding: .3em .7em .7em; }
  textarea { flex: 1; min-inline-size: 0; resize: none; min-block-size: max(2.75em, 44px); max-block-size: 9em;
    padding: .5em .8em; border: 2px solid var(--line); border-radius: .8em; background: var(--bg); line-height: 1.4;
    field-sizing: content; }
  ::placeholder { color: var(--muted); opacity: 1; }
  .over { color: var(--danger); font-weight: 600; }

  .menu { display: grid; gap: .4em; padding: .6em 1em 1em; border-block-end: 1px solid var(--line);
    max-block-size: 60%; min-block-size: 6em; overflow-y: auto; flex: 0 1 auto; }
  .menu > * { inline-size: 100%; justify-content: flex-start; flex: none; }
  .view { display: flex; flex-direction: column; gap: .8em; align-items: flex-start; }
  h3 { margin: 0; font-size: 1.06em; font-weight: 650; }

  @media (max-width: 30em), (max-height: 30em) {
    .root.open { inset: 0; inset-block-start: var(--top, 0); block-size: var(--seen, 100dvh); }
    .panel { inline-size: 100%; block-size: 100%; border: 0; border-radius: 0; }
    form { padding-block-end: max(.7em, env(safe-area-inset-bottom)); }
  }
  @media (max-height: 24em) {
    .panel { display: block; overflow-y: auto; }
    .main { overflow: visible; }
    .menu { max-block-size: none; }
  }
  @media (prefers-reduced-motion: no-preference) {
    .panel { animation: rise .16s ease-out; }
    @keyframes rise { from { transform: translateY(10px); } }
  }
  @media (forced-colors: active) {
    .bubble, .card, .solid, .launcher, .thumbs button[aria-pressed="true"] { border: 2px solid; }
    button[aria-pressed="true"] { border: 4px solid Highlight; }
    summary::before { forced-color-adjust: none; }
    .part path, .blank { fill: Canvas; stroke: CanvasText; }
    .part:focus-visible path, .part:hover path { stroke: Highlight; }
  }
  .sheet { display: none; }
  @media print {
    .root { position: static; --bg: #fff; --fg: #000; }
    .panel, .launcher { display: none; }
    .sheet { display: block; white-space: pre-wrap; }
  }
`;
