"""The terminal: command line, screens, forms and charts. It reads run folders and never imports torch."""
