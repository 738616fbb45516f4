import { io, type Socket } from 'socket.io-client';
import type { Config } from './config';
import { labels } from './labels';
import { recall, remember, type Remembered } from './memory';
import type { EmergencyNumber, Message, Uttered, Vote, Welcome } from './types';

const ACK_MS = 8000;
const KEPT_MESSAGES = 200;
/** People wait ten seconds before they take silence for an answer. */
const LATE_MS = 9000;
/** After a pause this long the connection may be dead without anybody having noticed. */
const ASLEEP_MS = 20_000;

interface Ack {
  ok: boolean;
  error?: string;
  text?: string;
  retry_ms?: number;
}

interface SessionAck extends Ack {
  session_id: string;
  epoch: string;
  welcome: Welcome;
}

/**
 * The conversation: its messages and the protocol that loses and doubles none.
 *
 * A message stays `unsent` or `sent` until its reply has come. After each reconnection all of those are sent again,
 * in order, under their old ids; the server answers an id once and repeats that answer. A reply is told by its turn.
 */
export class Chat {
  messages: Message[];
  welcome: Welcome | null;
  number: EmergencyNumber | null;
  online = false;
  /** Whether a connection was tried and failed, or was lost. */
  failed = false;
  typing = false;
  notice = '';
  private known: Remembered;
  private socket: Socket | null = null;
  private flushing = false;
  private hidden = 0;

  constructor(
    private config: Config,
    private changed: () => void,
  ) {
    this.known = recall();
    this.messages = this.known.messages;
    this.number = this.known.number;
    this.welcome = this.known.welcome;
    this.messages.filter(waits).forEach(message => this.watch(message));
  }

  /** Whether somebody waits for longer than a reply takes. */
  get late(): boolean {
    return this.messages.some(message => message.late && waits(message));
  }

  get open(): boolean {
    return this.known.open;
  }

  set open(open: boolean) {
    this.known.open = open;
    this.save();
  }

  get draft(): string {
    return this.known.draft;
  }

  set draft(draft: string) {
    this.known.draft = draft;
    this.save();
  }

  connect(): void {
    if (this.socket) return;
    const { base } = this.config;
    const socket = io(base.origin, {
      path: `${base.pathname}socket.io`,
      transports: ['websocket', 'polling'],
      tryAllTransports: true,
      reconnectionDelay: 500,
      reconnectionDelayMax: 8000,
    });
    this.socket = socket;
    socket.on('connect', () => void this.begin());
    socket.on('disconnect', () => this.lost());
    socket.on('connect_error', () => {
      this.lost();
      if (!socket.active) setTimeout(() => socket.connect(), 5000); // refused by the server, for example too many
    });
    socket.on('bot_typing', (state: { on?: boolean }) => this.update({ typing: state?.on === true }));
    socket.on('bot_uttered', (said: Uttered) => this.receive(said));
    socket.on('erased', () => void this.wipe(labels.deleted));
    document.addEventListener('visibilitychange', () => this.wake());
    addEventListener('online', () => socket.connect());
  }

  say(text: string): void {
    const message: Message = { id: newId(), who: 'me', text, state: 'unsent' };
    this.add(message);
    this.watch(message);
    void this.flush();
  }

  private watch(message: Message): void {
    setTimeout(() => {
      message.late = true;
      this.changed();
    }, LATE_MS);
  }

  async vote(message: Message, vote: Vote): Promise<void> {
    message.vote = vote;
    this.save();
    await this.ask('feedback', { turn: message.turn, ...vote }).catch(() => undefined);
  }

  async about(): Promise<string> {
    return (await this.ask('about', {})).text ?? '';
  }

  /** Deletes the conversation here at once, and on the server now or as soon as it can be reached. */
  async erase(): Promise<void> {
    if (this.online) {
      const answer = await this.ask('erase', {}).catch(() => null);
      if (answer?.ok) return; // `erased` comes to all tabs of the session, this one included
    }
    this.known.toErase = this.known.session;
    await this.wipe(labels.deletedHere);
  }

  private async begin(): Promise<void> {
    try {
      if (this.known.toErase) {
        await this.ask('session_request', { session_id: this.known.toErase });
        await this.ask('erase', {});
        this.known.toErase = null;
      }
      await this.request();
    } catch {
      this.socket?.disconnect().connect();
    }
  }

  private async request(): Promise<void> {
    const { session, epoch, seq } = this.known;
    const country = this.number?.country ?? this.config.country;
    const fields = { session_id: session, epoch, last_seq: seq, country };
    const answer = (await this.ask('session_request', fields)) as SessionAck;
    if (epoch !== answer.epoch) this.known.seq = 0;
    if (session && session !== answer.session_id) this.notice = labels.newSession;
    else if (!this.online && session) this.notice = labels.reconnected;
    Object.assign(this.known, { session: answer.session_id, epoch: answer.epoch });
    this.welcome = answer.welcome;
    this.number = answer.welcome.number;
    this.online = true;
    for (const message of this.messages) if (message.state === 'sent') message.state = 'unsent';
    if (!this.messages.length) this.greet(answer.welcome);
    this.save();
    void this.flush();
  }

  private greet({ text, quick_replies }: Welcome): void {
    this.messages = [{ id: 'greeting', who: 'bot', text, buttons: quick_replies }];
  }

  private lost(): void {
    this.failed = true;
    this.update({ online: false, typing: false, notice: '' });
  }

  private wake(): void {
    if (document.hidden) {
      this.hidden = Date.now();
    } else if (Date.now() - this.hidden > ASLEEP_MS) {
      if (this.socket?.connected) void this.begin();
      else this.socket?.connect();
    }
  }

  private ask(event: string, data: unknown): Promise<Ack> {
    return this.socket?.connected
      ? (this.socket.timeout(ACK_MS).emitWithAck(event, data) as Promise<Ack>)
      : Promise.reject(new Error('not connected'));
  }

  /** Sends what waits, one message after the other. */
  private async flush(): Promise<void> {
    if (this.flushing) return;
    this.flushing = true;
    try {
      for (;;) {
        const next = this.messages.find(message => message.state === 'unsent');
        if (!next || !this.online) return;
        await this.deliver(next);
      }
    } finally {
      this.flushing = false;
    }
  }

  private async deliver(message: Message): Promise<void> {
    const again = message.tried === true;
    message.tried = true; // kept before it leaves: a reload in between must not make it a new message
    this.save();
    const answer = await this.ask('user_uttered', { message: message.text, id: message.id, again }).catch(() => null);
    if (message.state === 'answered') return;
    if (answer?.ok) {
      message.state = 'sent';
    } else if (answer?.error === 'web_slow_down') {
      this.update({ notice: answer.text ?? '' });
      await pause(answer.retry_ms ?? 2000);
      this.notice = '';
    } else if (answer?.error === 'web_no_session') {
      await this.request().catch(() => undefined);
    } else if (answer) {
      Object.assign(message, { state: 'refused', note: answer.text ?? '' });
    } else if (this.online) {
      await pause(1000); // no acknowledgement, yet connected: a slow network
    }
    this.save();
  }

  private receive(said: Uttered): void {
    if (typeof said?.text !== 'string') return;
    const { turn, epoch, seq, custom = {}, number } = said.metadata ?? {};
    if (epoch === this.known.epoch && typeof seq === 'number') this.known.seq = Math.max(this.known.seq, seq);
    if (number) this.number = number;
    this.answered(turn, said.metadata?.said);
    if (!turn || !this.messages.some(message => message.turn === turn)) {
      const buttons = (said.quick_replies ?? []).filter(button => button?.title && button.payload);
      this.add({ id: newId(), who: 'bot', text: said.text, buttons, custom, ...(turn && { turn }) });
    }
    if (custom.erase) void this.wipe('', this.messages.filter(message => message.turn === turn || waits(message)));
    this.save();
  }

  private answered(turn: string | undefined, said: string | undefined): void {
    const mine = this.messages.find(message => message.id === turn);
    if (mine) mine.state = 'answered';
    else if (turn && said) this.add({ id: turn, who: 'me', text: said, state: 'answered' }); // typed in another tab
  }

  /** Forgets everything but `rest` on this device and begins a new session. */
  private async wipe(notice: string, rest: Message[] = []): Promise<void> {
    const { open, toErase } = this.known;
    Object.assign(this.known, { session: null, epoch: '', seq: 0, draft: '', open, toErase });
    this.messages = rest;
    this.update({ typing: false, notice });
    if (this.online) await this.request().catch(() => undefined);
    else if (this.welcome && !rest.length) this.greet(this.welcome);
    this.update({ notice });
  }

  private add(message: Message): void {
    this.messages = [...this.messages, message].slice(-KEPT_MESSAGES);
    this.save();
  }

  private update(values: Partial<Pick<Chat, 'online' | 'typing' | 'notice'>>): void {
    Object.assign(this, values);
    this.save();
  }

  private save(): void {
    const { messages, number, welcome } = this;
    Object.assign(this.known, { messages, number, welcome });
    remember(this.known);
    this.changed();
  }
}

const waits = (message: Message): boolean => message.state === 'unsent' || message.state === 'sent';

const pause = (ms: number): Promise<void> => new Promise(done => setTimeout(done, ms));

/** A random id; `crypto.randomUUID` exists on secure pages only. */
function newId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), byte => byte.toString(16).padStart(2, '0')).join('');
}
