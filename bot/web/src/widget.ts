import { html, LitElement, nothing, type PropertyValues, type TemplateResult } from 'lit';
import { repeat } from 'lit/directives/repeat.js';
import { Chat } from './chat';
import type { Config } from './config';
import { icons } from './icons';
import { fill, labels } from './labels';
import { entry, type Side, type View } from './message';
import { styles } from './styles';
import { callable, page } from './text';
import type { Message } from './types';

export const TAG = 'muscle-spasm-chat';
const MAX_CHARS = 4000;
const FULL_SCREEN = '(max-width: 30em), (max-height: 30em)';

type Page = 'chat' | 'about' | 'delete';

/** The chat: a launcher, and the panel that it opens. */
export class MuscleSpasmChat extends LitElement {
  static override styles = styles;
  static override properties = { page: { state: true }, menu: { state: true }, side: { state: true } };

  declare page: Page;
  declare menu: boolean;
  declare side: Side;
  private chat: Chat;
  private about = '';
  private told = '';
  private sheet = '';
  private shown = 0;
  private silenced: HTMLElement[] = [];
  private full = matchMedia(FULL_SCREEN);
  private dark = matchMedia('(prefers-color-scheme: dark)');

  constructor(private config: Config) {
    super();
    this.page = 'chat';
    this.menu = false;
    this.side = 'front';
    this.chat = new Chat(config, () => this.requestUpdate());
  }

  override connectedCallback(): void {
    super.connectedCallback();
    for (const media of [this.full, this.dark]) media.addEventListener('change', () => this.requestUpdate());
    visualViewport?.addEventListener('resize', () => this.fit());
    visualViewport?.addEventListener('scroll', () => this.fit());
    if (this.chat.open || this.config.open) this.show();
  }

  private show(): void {
    this.chat.open = true;
    this.chat.connect();
  }

  private hide(): void {
    this.chat.open = false;
    this.menu = false;
    void this.updateComplete.then(() => this.focusOn('.launcher'));
  }

  override render(): TemplateResult {
    const { config, chat } = this;
    const dark = config.theme === 'dark' || (config.theme === 'auto' && this.dark.matches);
    const classes = ['root', config.position, dark && 'dark', config.color && 'tinted', chat.open && 'open'];
    return html`<div class=${classes.filter(Boolean).join(' ')} dir=${config.dir} lang=${config.lang}>
      ${chat.open ? this.panel() : this.launcher()}
      <div class="sheet" aria-hidden="true">${this.sheet}</div>
    </div>`;
  }

  private launcher(): TemplateResult {
    return html`<button class="launcher solid" aria-haspopup="dialog" aria-expanded="false"
      @click=${() => {
        this.show();
        void this.updateComplete.then(() => this.focusOn('textarea'));
      }}>${icons.chat} ${labels.launcher}</button>`;
  }

  private panel(): TemplateResult {
    return html`<div class="panel" role="dialog" aria-labelledby="title" aria-modal=${this.full.matches ? 'true' : nothing}
        @keydown=${this.key}>
      <header>
        <h2 id="title" dir="auto">${this.config.title ?? labels.title}</h2>
        <button class="bare options" aria-label=${labels.options} aria-expanded=${this.menu} aria-controls="menu"
          @click=${() => this.toggleMenu()}>${icons.options}</button>
        <button class="bare close" aria-label=${labels.close} @click=${() => this.hide()}>${icons.close}</button>
      </header>
      <p class="disclaimer" dir="auto">${callable(this.chat.number?.disclaimer ?? this.emergencyLine())}</p>
      <div id="menu" class=${this.menu ? 'menu' : 'hidden'} ?hidden=${!this.menu}>${this.menu ? this.options() : nothing}</div>
      <div class="main">
        ${this.page === 'chat' ? nothing : this.page === 'about' ? this.aboutPage() : this.deletePage()}
        ${this.log()}
      </div>
      ${this.status()} ${this.page === 'chat' ? this.composer() : nothing}
    </div>`;
  }

  private emergencyLine(): string {
    return fill(labels.offlineEmergency, { number: this.chat.number?.text ?? labels.anyNumber });
  }

  private log(): TemplateResult {
    const { messages } = this.chat;
    const newest = messages.at(-1);
    return html`<div class="log" role="log" aria-label=${labels.conversation} tabindex="0" ?hidden=${this.page !== 'chat'}>
      ${repeat(messages, message => message.id, message => entry(message, this.view(message === newest)))}
    </div>`;
  }

  private view(last: boolean): View {
    const { online, number, welcome } = this.chat;
    return {
      last, online, number, welcome,
      side: this.side,
      turnTo: side => (this.side = side),
      say: text => this.say(text),
      vote: (message, vote) => void this.chat.vote(message, vote),
      copy: text => void this.copy(text),
      print: text => void this.print(text),
    };
  }

  private status(): TemplateResult {
    const { online, failed, late, typing, notice } = this.chat;
    const trouble = !online ? (failed ? labels.offline : labels.connecting) : late ? labels.late : '';
    const text = trouble ? `${trouble} ${this.emergencyLine()}` : notice || this.told || (typing ? labels.writing : '');
    return html`<p class="status ${trouble ? 'alarm' : ''}" role="status" dir="auto">${text}</p>`;
  }

  private composer(): TemplateResult {
    const over = this.chat.draft.length - (this.chat.welcome?.max_chars ?? MAX_CHARS);
    return html`${over > 0 ? html`<p class="status over" id="over" role="alert">${fill(labels.tooLong, { count: over })}</p>` : nothing}
      <form @submit=${this.submit}>
        <textarea rows="1" aria-label=${labels.message} placeholder=${labels.placeholder} enterkeyhint="send" dir="auto"
          aria-invalid=${over > 0} aria-describedby=${over > 0 ? 'over' : nothing} .value=${this.chat.draft}
          @input=${(event: Event) => (this.chat.draft = (event.target as HTMLTextAreaElement).value)}
          @keydown=${(event: KeyboardEvent) => {
            if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) this.submit(event);
          }}></textarea>
        <button class="solid" type="submit">${labels.send}</button>
      </form>`;
  }

  private toggleMenu(): void {
    this.menu = !this.menu;
    if (this.menu) void this.updateComplete.then(() => this.focusOn('.menu button'));
  }

  private options(): TemplateResult {
    const item = (label: string, act: () => void): TemplateResult => html`<button dir="auto"
      @click=${() => {
        this.menu = false;
        this.focusOn('.options');
        act();
      }}>${label}</button>`;
    const { privacy } = this.config;
    return html`
      ${item(labels.person, () => this.say(labels.personText))} ${item(labels.note, () => this.say(labels.noteText))}
      ${item(labels.changeCountry, () => this.say(labels.changeCountryText))}
      ${item(labels.copyChat, () => void this.copy(this.transcript()))}
      ${item(labels.printChat, () => void this.print(this.transcript()))}
      ${item(labels.about, () => void this.openAbout())}
      ${privacy ? html`<a class="button" dir="auto" href=${privacy} target="_blank" rel="noopener noreferrer">${labels.privacy}</a>` : nothing}
      ${item(labels.deleteChat, () => this.turnTo('delete'))}`;
  }

  private aboutPage(): TemplateResult {
    return html`<div class="view" dir="auto" tabindex="-1" role="group" aria-label=${labels.about}>
      <div class="text about">${page(this.about || labels.loading)}</div>
      <button @click=${() => this.turnTo('chat')}>${labels.backToChat}</button>
    </div>`;
  }

  private deletePage(): TemplateResult {
    return html`<div class="view" dir="auto" tabindex="-1" role="group" aria-labelledby="delete">
      <h3 id="delete">${labels.deleteAsk}</h3>
      <p>${labels.deleteWhat}</p>
      <div class="row">
        <button class="call" @click=${() => void this.chat.erase().then(() => this.turnTo('chat'))}>${labels.deleteYes}</button>
        <button @click=${() => this.turnTo('chat')}>${labels.deleteNo}</button>
      </div>
    </div>`;
  }

  private turnTo(page: Page): void {
    this.page = page;
    void this.updateComplete.then(() => this.focusOn(page === 'chat' ? 'textarea' : '.view'));
  }

  private async openAbout(): Promise<void> {
    this.turnTo('about');
    this.about ||= await this.chat.about().catch(() => labels.offline);
    this.requestUpdate();
  }

  private say(text: string): void {
    this.told = '';
    if (this.page !== 'chat') this.page = 'chat';
    this.chat.say(text);
    this.focusOn('textarea');
  }

  private submit = (event: Event): void => {
    event.preventDefault();
    const text = this.chat.draft.trim();
    if (!text || text.length > (this.chat.welcome?.max_chars ?? MAX_CHARS)) return;
    this.chat.draft = '';
    this.say(text);
  };

  private key = (event: KeyboardEvent): void => {
    if (event.key !== 'Escape') return;
    event.stopPropagation();
    if (this.menu) {
      this.menu = false;
      this.focusOn('.options');
    } else if (this.page !== 'chat') {
      this.turnTo('chat');
    } else {
      this.hide();
    }
  };

  private transcript(): string {
    const who = (message: Message): string => (message.who === 'me' ? labels.you : labels.assistant);
    return this.chat.messages.map(message => `${who(message)}\n${message.text}`).join('\n\n');
  }

  private async copy(text: string): Promise<void> {
    try {
      await navigator.clipboard.writeText(text);
      this.tell(labels.copied);
    } catch {
      this.tell(labels.notCopied);
    }
  }

  /** Prints one text alone; the rest of the page is hidden on paper meanwhile. */
  private async print(text: string): Promise<void> {
    this.sheet = text;
    this.requestUpdate();
    await this.updateComplete;
    const alone = new CSSStyleSheet();
    alone.replaceSync(`@media print { body > :not(${TAG}) { display: none !important; } }`);
    document.adoptedStyleSheets = [...document.adoptedStyleSheets, alone];
    addEventListener(
      'afterprint',
      () => {
        document.adoptedStyleSheets = document.adoptedStyleSheets.filter(sheet => sheet !== alone);
        this.sheet = '';
        this.requestUpdate();
      },
      { once: true },
    );
    print();
  }

  private tell(text: string): void {
    this.told = text;
    this.requestUpdate();
  }

  private focusOn(selector: string): void {
    this.renderRoot.querySelector<HTMLElement>(selector)?.focus();
  }

  protected override updated(changes: PropertyValues): void {
    super.updated(changes);
    this.tint();
    this.seclude();
    const { messages, open } = this.chat;
    if (!open) this.shown = 0;
    else if (messages.length !== this.shown) {
      this.shown = messages.length;
      this.scrollToNewest();
    }
  }

  /** Brings the newest message into view: its end, or its beginning if it is longer than the window. */
  private scrollToNewest(): void {
    const panel = this.renderRoot.querySelector<HTMLElement>('.panel')!;
    const main = this.renderRoot.querySelector<HTMLElement>('.main')!;
    const scroller = getComputedStyle(main).overflowY === 'visible' ? panel : main;
    const last = this.renderRoot.querySelector('.log')?.lastElementChild;
    if (!last) return;
    const top = last.getBoundingClientRect().top - scroller.getBoundingClientRect().top + scroller.scrollTop;
    const tall = last.clientHeight > scroller.clientHeight - 16;
    scroller.scrollTop = tall ? top - 8 : scroller.scrollHeight;
  }

  /** Takes the page's colour, with black or white on it, whichever reads better. */
  private tint(): void {
    const root = this.renderRoot.querySelector<HTMLElement>('.root')!;
    if (!this.config.color || root.style.getPropertyValue('--accent')) return;
    root.style.setProperty('--accent', this.config.color);
    const probe = this.renderRoot.querySelector('.solid');
    if (probe) root.style.setProperty('--on-accent', readable(getComputedStyle(probe).backgroundColor));
  }

  /** On a full screen nothing behind the chat can be reached. */
  private seclude(): void {
    const alone = this.chat.open && this.full.matches;
    if (!alone) {
      for (const element of this.silenced.splice(0)) element.inert = false;
    } else if (!this.silenced.length) {
      const around = Array.from(this.parentElement?.children ?? []) as HTMLElement[];
      this.silenced = around.filter(element => element.localName !== TAG && element.inert === false);
      for (const element of this.silenced) element.inert = true;
    }
  }

  /** Keeps the full-screen panel above the on-screen keyboard. */
  private fit(): void {
    const root = this.renderRoot.querySelector<HTMLElement>('.root');
    const view = visualViewport;
    if (!root || !view || view.scale > 1.01) return;
    root.style.setProperty('--seen', `${view.height}px`);
    root.style.setProperty('--top', `${view.offsetTop}px`);
  }
}

/** Black or white: the one with more contrast to an `rgb(…)` colour. */
function readable(color: string): string {
  const [r = 0, g = 0, b = 0] = (color.match(/[\d.]+/g) ?? []).map(value => {
    const part = Number(value) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? '#000' : '#fff';
}
