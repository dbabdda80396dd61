/* The API description, byte for byte, inside the program. */
	.section .rodata
	.global openapi_text
	.global openapi_text_end
	.balign 16
openapi_text:
	.incbin OPENAPI_FILE
openapi_text_end:
	.byte 0
	.section .note.GNU-stack, "", %progbits
