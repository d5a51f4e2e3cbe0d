#!/usr/bin/env node
import '../bundled/main.js';
