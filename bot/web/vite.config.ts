import { defineConfig } from 'vite';

// One classic script, so that a page needs nothing but a script tag.
export default defineConfig({
  build: {
    target: 'es2020',
    lib: { entry: 'src/main.ts', formats: ['iife'], name: 'MuscleSpasmChat', fileName: () => 'widget.js' },
    outDir: 'dist',
  },
});
