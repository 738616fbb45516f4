import { readConfig } from './config';
import { MuscleSpasmChat, TAG } from './widget';

const script = document.currentScript as HTMLScriptElement | null;

function mount(): void {
  if (document.querySelector(TAG)) return;
  document.body.append(new MuscleSpasmChat(readConfig(script)));
}

if (!customElements.get(TAG)) customElements.define(TAG, MuscleSpasmChat);
if (document.body) mount();
else addEventListener('DOMContentLoaded', mount);
